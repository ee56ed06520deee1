"""One folder to share a cross-validated model: `python -m hespotex.bundle SWEEP_DIR`."""

import logging
from pathlib import Path

from hespotex.cli.entry import VerbParser, plain_errors
from hespotex.records.remarks import REMARKS

ABOUT = """Pack a cross-validated model with its scores into one folder to share: the model on all
sections (python -m hespotex.finalize) or, where there is none, the checkpoint of every fold;
genes.csv with what each gene has earned in cross-validation, facts.json, and a model card
(README.md). predict.py takes the folder as its checkpoint."""
EXAMPLES = {
    "outputs/mine": "into outputs/mine_bundle",
    "outputs/demo --model strict": "a sweep of several models",
    "outputs/mine --folds": "the folds too: predict.py ... folds=true averages them",
    "outputs/mine --output models/breast": (
        "then: python predict.py checkpoint=models/breast slides=..."
    ),
    "outputs/mine --tissue 'breast cancer' --licence CC-BY-4.0": "with what a stranger must know",
    "outputs/mine --push owner/breast": "onto the hub, for checkpoint=hf://owner/breast",
}


@plain_errors
def main() -> None:
    """Command line."""
    parser = VerbParser("bundle", ABOUT, EXAMPLES)
    parser.add_argument(
        "sweep",
        type=Path,
        metavar="SWEEP_DIR",
        help="folder of a cross-validation, such as outputs/mine",
    )
    parser.add_argument("--model", help="which one, where the sweep has several, such as strict")
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="folder to make; SWEEP_DIR_bundle by default"
    )
    parser.add_argument(
        "--allow-leak", action="store_true", help="pack, and label, what has seen its test sections"
    )
    parser.add_argument(
        "--folds",
        action="store_true",
        help="pack the folds beside the model on all sections; without such a model they are packed"
        " in any case",
    )
    for name, meaning in REMARKS.items():
        parser.add_argument(f"--{name}", metavar="WORDS", help=f"for the card: {meaning}")
    parser.add_argument(
        "--push",
        metavar="OWNER/NAME",
        help="put it onto the Hugging Face hub, for predict.py checkpoint=hf://OWNER/NAME",
    )
    parser.add_argument(
        "--public", action="store_true", help="make the repository for all to see; else private"
    )
    arguments = parser.parse_args()
    from hespotex.packing.pack import pack
    from hespotex.prediction.hub import Address, push

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if arguments.push:
        Address.of(arguments.push)  # before any work
    output = arguments.output or arguments.sweep.with_name(f"{arguments.sweep.name}_bundle")
    remarks = {name: text for name in REMARKS if (text := getattr(arguments, name))}
    pack(arguments.sweep, output, arguments.model, arguments.allow_leak, arguments.folds, remarks)
    if arguments.push:
        push(output, arguments.push, arguments.public)


if __name__ == "__main__":
    main()
