"""What a trained model is: `python -m hespotex.info CHECKPOINT`."""

import logging

from hespotex.cli.entry import VerbParser, plain_errors

log = logging.getLogger("hespotex.info")
ABOUT = """Tell of a trained model: what it was trained on, encoder, spots, unit, genes with what
each has earned in cross-validation, score, and what that does not cover. Takes what predict.py
takes as its checkpoint, and tells of what would predict. Reads files only."""
EXAMPLES = {
    "outputs/mine": "a sweep: the model on all sections, else the mean of its folds",
    "outputs/mine_bundle --genes": "a bundle, with a line for each gene",
    "outputs/mine/0": "one fold",
}


@plain_errors
def main() -> None:
    """Command line."""
    parser = VerbParser("info", ABOUT, EXAMPLES)
    parser.add_argument(
        "checkpoint",
        metavar="CHECKPOINT",
        help="folder of a sweep, a bundle or a run, or a file such as"
        " outputs/mine/0/checkpoints/best.ckpt",
    )
    parser.add_argument("--folds", action="store_true", help="the folds, as predict.py folds=true")
    parser.add_argument("--genes", action="store_true", help="a line for each gene, the best first")
    arguments = parser.parse_args()
    from hespotex.prediction.model_facts import model_facts

    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    log.setLevel(logging.INFO)
    facts = model_facts(arguments.checkpoint, arguments.folds)
    log.info("%s", facts)
    if arguments.genes:
        table = facts.genes.sort_values("pcc", ascending=False, na_position="last")
        log.info("\n%s", table.to_string(float_format="{:.3f}".format))


if __name__ == "__main__":
    main()
