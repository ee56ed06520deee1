"""Can the section, or the patient, of a spot be read off its standardised embedding?

python experiments/committee/probe.py data=her2st data.reader.root=PATH

See `hespotex.embeddings.probe`, which every run and the doctor ask as well.
"""

import argparse
import logging

from encoders import ENCODERS
from hydra import initialize_config_dir
from measure import CONF, composed

from hespotex.records.build import build_fold, build_sections
from hespotex.results.read_off import in_words
from hespotex.training.run import read_off

log = logging.getLogger("probe")
STANDARDIZE = ("section", "training", "none")


def main() -> None:
    """A line for each way to standardise and each encoder: accuracy and chance, twice."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="+", help="overrides of train.py")
    words = ["paths.run=null", "fold=leave_one_group_out", *parser.parse_args().words]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        for way in STANDARDIZE:
            for name, own in ENCODERS.items():
                config = composed([*own, f"data.inputs.standardize={way}", *words])
                answers = read_off(build_fold(config, build_sections(config)))
                log.info("| %s | %s | %s |", way, name, in_words(answers))


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    main()
