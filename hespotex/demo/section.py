"""One simulated section, put together from layout, nuclei, image and expression."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from hespotex.demo.expression import Genes, draw_counts, log_rates, measured, plan_genes
from hespotex.demo.image import patient_stain, render
from hespotex.demo.layout import Doubles, SpotGrid, plan_layout
from hespotex.demo.nuclei import draw_nuclei
from hespotex.demo.streams import stream
from hespotex.demo.texture import solid_parts


@dataclass(frozen=True)
class Section:
    """`image` (size, size, 3) uint8; `counts` and `log_rate` (n_spots, n_genes) of `names`."""

    image: NDArray[np.uint8]
    spots: SpotGrid
    names: list[str]
    counts: csr_matrix
    log_rate: Doubles


def simulate_section(seed: int, patient: int, section: int, spots_per_side: int) -> Section:
    """Simulate one section in memory, with the true log-rate its counts were drawn from."""
    genes: Genes = plan_genes(seed)
    layout = plan_layout(stream(seed, "layout", section), spots_per_side)
    pixels = stream(seed, "image", section)
    solid = solid_parts(pixels, layout)
    nuclei = draw_nuclei(stream(seed, "nuclei", section), layout)
    at = np.clip(nuclei.xy.astype(np.int64), 0, layout.size_px - 1)
    nuclei = nuclei.take(solid[at[:, 1], at[:, 0]] > 0.5)  # a vacuole holds no nucleus
    image = render(pixels, layout, nuclei, solid, patient_stain(stream(seed, "patient", patient)))
    log_rate = log_rates(genes, layout, nuclei)
    counts = draw_counts(seed, section, log_rate, genes.noise)
    keep = measured(genes, section)
    names = [genes.names[k] for k in keep]
    return Section(image, layout.spots, names, counts[:, keep], log_rate[:, keep])
