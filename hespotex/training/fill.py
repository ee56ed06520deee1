"""Fill the embedding store of a data set without training on it."""

import logging
from pathlib import Path
from time import perf_counter

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from hespotex.cli.shares import own_share
from hespotex.common.failures import Failures
from hespotex.common.progress import progress
from hespotex.embeddings.embed import fill, is_filled, patch_specs
from hespotex.records.build import Config, build, resolved
from hespotex.sections.sections import Sections

log = logging.getLogger(__name__)


def fill_store(cfg: DictConfig) -> None:
    """Embed this job's share of the sections; what is there is skipped, what fails is named at the
    end.

    Raises:
        InputError: a share that cannot be, or sections that failed.
    """
    config = resolved(cfg)
    filler = Filler(config)
    failures = Failures("section", Path(HydraConfig.get().runtime.output_dir))
    for section_id in progress(filler.section_ids, "section", "sections"):
        with failures.of(section_id):
            filler(section_id)
    log.info("%s", filler.summary())
    failures.check()


class Filler:
    """Fills the store section by section, and keeps the score."""

    def __init__(self, config: Config) -> None:
        data = config["data"]
        share = own_share(config)
        self.sections = Sections(
            build(data["reader"]), build(data["genes"]), data["min_counts"], keep_gib=0.0
        )
        self.views = data["inputs"]["views"]
        self.encoder = build(config["encoder"])
        self.nuclei = build(config["nuclei"]["counter"])
        self.store = build(config["store"])
        self.section_ids = list(self.sections.keys)[share]
        self.done = self.skipped = self.patches = 0
        self.seconds = 0.0

    def __call__(self, section_id: str) -> None:
        """Embed one section, if it is not yet in the store."""
        section = self.sections[section_id]
        if is_filled(section, self.encoder, self.nuclei, self.store, self.views):
            self.skipped += 1
            return
        started = perf_counter()
        fill(section, self.encoder, self.nuclei, self.store, self.views)
        self.seconds += perf_counter() - started
        self.patches += len(section.adata) * len(patch_specs(self.encoder)) * self.views
        self.done += 1

    def summary(self) -> str:
        """What was done, in one line."""
        rate = (
            f", {self.patches / self.seconds:.0f} patches/s nuclei and writing included"
            if self.seconds
            else ""
        )
        return (
            f"{self.done} sections embedded ({self.patches} patches in {self.seconds:.0f} s{rate}),"
            f" {self.skipped} were there already: {self.store.root}"
        )
