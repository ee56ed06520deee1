"""How fast are embeddings made? `README.md` beside this file."""

import argparse
import logging
import resource
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch
from slide import make_slide
from stand_in import RandomTimm

from hespotex.embeddings.embed import patch_specs
from hespotex.embeddings.pipeline import default_workers, encode_spots
from hespotex.records.build import build
from hespotex.sections.patch_reader import iterate_patches
from hespotex.sections.section import Section

log = logging.getLogger("speed")
COMMON = {
    "patch_um": [112.0],
    "patch_px": 224,
    "hub_id": "none",
    "hub_files": [],
    "licence": "none",
    "gated": False,
}
VITS = {"vit_b32": "vit_base_patch32_224", "vit_l16": "vit_large_patch16_224"}
Row = dict[str, Any]


def make_encoder(name: str) -> Any:
    """An encoder by the name of its row."""
    if name == "histology":
        return build(
            {
                "_target_": "hespotex.encoders.histology.HistologyEncoder",
                "name": name,
                "patch_um": [112.0],
            }
        )
    return RandomTimm(architecture=VITS[name], name=name, **COMMON)


def measure(section: Section, name: str, n_patches: int, workers: int, rounds: int) -> Row:
    """Rates (patches per second) of reading, of encoding from memory, and end to end: the median of
    rounds taken in turn.
    """
    encoder = make_encoder(name)
    ((_, spec),) = patch_specs(encoder)
    central = np.argsort(np.linalg.norm(section.pos_px - section.pos_px.mean(axis=0), axis=1))[
        :n_patches
    ]
    part = section.keep(np.sort(central))
    batches = [torch.from_numpy(p) for _, p in iterate_patches(part, spec, encoder.batch_size)]
    if torch.cuda.is_available():
        batches = [batch.pin_memory() for batch in batches]
    encoder(batches[0], spec.mpp)  # builds the network
    rates: dict[str, list[float]] = {"read": [], "memory": [], "end to end": []}
    for _ in range(rounds):
        rates["read"].append(rate(n_patches, (p for _, p in iterate_patches(part, spec, 64))))
        rates["memory"].append(rate(n_patches, encoded(encoder, batches, spec.mpp)))
        rates["end to end"].append(
            rate(n_patches, encode_spots(part, spec, encoder, read_workers=workers))
        )
    medians = {key: float(np.median(values)) for key, values in rates.items()}
    ratio = float(np.median(np.array(rates["end to end"]) / np.array(rates["memory"])))
    return {
        "encoder": name,
        "patches": n_patches,
        "batch": encoder.batch_size,
        "readers": workers,
        **medians,
        "ratio": ratio,
    }


def encoded(encoder: Any, batches: list[torch.Tensor], mpp: float) -> Iterator[torch.Tensor]:
    """All batches through the encoder; the last one is waited for."""
    results = [encoder(batch, mpp) for batch in batches]
    yield from (result.float().cpu() for result in results)


def rate(n: int, work: Iterator[Any]) -> float:
    """Patches per second of going through some work."""
    started = perf_counter()
    for _ in work:
        pass
    return n / (perf_counter() - started)


def peak_memory(section: Section, name: str, n_patches: int) -> tuple[float, float]:
    """GiB of this process before, and at the most during, the embedding of patches spread over the
    whole section.
    """
    encoder = make_encoder(name)
    ((_, spec),) = patch_specs(encoder)
    encoder(torch.zeros(1, 224, 224, 3, dtype=torch.uint8), spec.mpp)
    before = _peak()
    spread = section.keep(np.arange(0, len(section.adata), max(len(section.adata) // n_patches, 1)))
    list(islice(encode_spots(spread, spec, encoder), None))
    return before, _peak()


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description="Patches per second and memory of the embedding pipeline."
    )
    parser.add_argument(
        "--tissue", type=Path, required=True, help="H&E picture that the slide is made of"
    )
    parser.add_argument(
        "--slide",
        type=Path,
        default=Path("data/speed/slide.tif"),
        help="where the slide is, or goes",
    )
    parser.add_argument("--side", type=int, default=30_000, help="px a side (default: %(default)s)")
    parser.add_argument("--encoder", choices=["histology", *VITS], required=True)
    parser.add_argument("--patches", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--workers",
        type=int,
        nargs="+",
        default=[default_workers()],
        help="threads that read ahead",
    )
    parser.add_argument(
        "--memory", action="store_true", help="measure the peak instead, in a process of its own"
    )
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    section = make_slide(options.tissue, options.side, options.slide)
    log.info(
        "%d spots, %d threads, %s", len(section.adata), torch.get_num_threads(), torch.__version__
    )
    if options.memory:
        log.info(
            "%s: %.2f GiB before, %.2f GiB at the most",
            options.encoder,
            *peak_memory(section, options.encoder, options.patches),
        )
        return
    for workers in options.workers:
        row = measure(section, options.encoder, options.patches, workers, options.rounds)
        log.info(
            "| %s |",
            " | ".join(f"{v:.3g}" if isinstance(v, float) else str(v) for v in row.values()),
        )


if __name__ == "__main__":
    main()
