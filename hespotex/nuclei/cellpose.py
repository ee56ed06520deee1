"""Nuclei by Cellpose 4: a network of 1.2 GB, meant for a GPU."""

import logging
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hespotex.common.errors import InputError
from hespotex.common.files import file_fingerprint
from hespotex.nuclei.detected import DetectedNuclei, Finder
from hespotex.nuclei.masks import measure_labels
from hespotex.nuclei.table import NucleiTable
from hespotex.sections.patch_reader import iterate_patches
from hespotex.sections.patches import PatchSpec
from hespotex.sections.section import Section

log = logging.getLogger(__name__)
CPU_SECONDS = 420.0  # per megapixel, two cores
PERCENTILES = (1, 99)  # of each channel become 0 and 1, as Cellpose does
SAMPLE = 64  # spots whose patches give the percentiles of a section


class CellposeNuclei(DetectedNuclei):
    """Nuclei by a Cellpose 4 model, with one normalisation for the whole section.

    Cellpose replaces a missing weights file by another, silently: here the file must be there.

    Args:
        around_um: see `DetectedNuclei`.
        model: file of the hub repository, such as "cpsam_v2".
        weights: local file that replaces the hub.
        hub_id: repository on the Hugging Face hub.
        mpp: pixel size at which it looks (um per px).
        flow_threshold, cellprob_threshold: see Cellpose; more and larger nuclei with a higher and a
        lower value.
        min_area_um2: smaller ones are dropped (um2).
        device: "auto" takes a GPU where there is one.
        tile_px: side of a tile, a multiple of 8 px.
    """

    name = "cellpose"

    def __init__(
        self,
        around_um: float,
        model: str = "cpsam_v2",
        weights: str | None = None,
        hub_id: str = "mouseland/cellpose-sam",
        mpp: float = 0.5,
        flow_threshold: float = 0.4,
        cellprob_threshold: float = 0.0,
        min_area_um2: float = 10.0,
        device: str = "auto",
        tile_px: int = 1024,
    ) -> None:
        super().__init__(around_um, mpp, margin_um=32.0, workers=1, tile_px=tile_px)
        self.model = model
        self.weights = weights
        self.hub_id = hub_id
        self.thresholds = {
            "flow_threshold": flow_threshold,
            "cellprob_threshold": cellprob_threshold,
        }
        self.min_area_um2 = min_area_um2
        self.device = torch.device(
            ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
        )
        self._network: Any = None

    def identity(self, section: Section) -> dict[str, Any]:
        """Version of cellpose, hash of the weights, and every setting that changes the nuclei."""
        settings = {**self.thresholds, "min_area_um2": self.min_area_um2, "tile_px": self.tile_px}
        program = {
            "cellpose": version("cellpose"),
            "weights": file_fingerprint(self.weights_file()),
        }
        return super().identity(section) | settings | program

    def expected_seconds(self, section: Section) -> float | None:
        """`CPU_SECONDS` for each megapixel without a GPU; None with one."""
        return CPU_SECONDS * self.megapixels(section) if self.device.type == "cpu" else None

    def finder(self, section: Section) -> Finder:
        """The network, with the channels scaled by this section's percentiles; it warns where it
        will be slow.
        """
        low, high = channel_range(
            section, PatchSpec(self.around_um, round(self.around_um / self.mpp))
        )
        network = self._load()
        seconds = self.expected_seconds(section)
        if seconds is not None:
            log.warning(
                "%s: Cellpose without a GPU takes about %.0f minutes for the %.2f megapixels around"
                " the spots; a GPU is strongly advised, else nuclei=haematoxylin",
                *(section.section_id, seconds / 60, self.megapixels(section)),
            )

        def find(rgb: NDArray[np.uint8], mpp: float) -> NucleiTable:
            pixels = (rgb.astype(np.float32) - low) / (high - low)
            smallest = round(self.min_area_um2 / mpp**2)
            masks = network.eval(
                pixels, channel_axis=-1, normalize=False, min_size=smallest, **self.thresholds
            )[0]
            return measure_labels([(np.asarray(masks), 0, 0)], mpp)

        return find

    def weights_file(self) -> Path:
        """The weights on this disk, downloaded if need be."""
        if self.weights is None:
            return self._download()
        path = Path(self.weights).absolute()
        if not path.is_file():
            raise InputError(
                f"Cellpose weights not found: {path}; set nuclei.counter.source.weights=FILE, null"
                f" for the hub ({self.hub_id}), or nuclei=haematoxylin"
            )
        return path

    def _download(self) -> Path:
        from huggingface_hub import hf_hub_download

        try:
            return Path(hf_hub_download(self.hub_id, self.model)).absolute()
        # the hub client has a family of errors for gated, missing and offline
        except Exception as error:
            raise InputError(
                f"could not fetch {self.model} of {self.hub_id} on the Hugging Face hub"
                f" ({type(error).__name__}); get it elsewhere and set"
                " nuclei.counter.source.weights=FILE, or nuclei=haematoxylin"
            ) from error

    def _load(self) -> Any:
        if self._network is None:
            self._network = self._build(str(self.weights_file()))
        return self._network

    def _build(self, weights: str) -> Any:
        from cellpose import models

        gpu = self.device.type != "cpu"
        try:
            # Half precision is several times slower than single on a CPU.
            return models.CellposeModel(
                gpu=gpu, device=self.device, pretrained_model=weights, use_bfloat16=gpu
            )
        except Exception as error:  # torch raises many kinds for a broken file
            raise InputError(
                f"{weights}: no weights of Cellpose 4 ({type(error).__name__}: {str(error)[:200]})"
            ) from error


def channel_range(
    section: Section, spec: PatchSpec
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Low and high value of each channel (3,) in patches all over the section."""
    n = len(section.adata)
    some = section.without_counts().keep(
        np.unique(np.linspace(0, n - 1, min(n, SAMPLE)).astype(np.int64)).tolist()
    )
    pixels = np.concatenate(
        [patches.reshape(-1, 3) for _, patches in iterate_patches(some, spec, SAMPLE)]
    )
    low, high = np.percentile(pixels, PERCENTILES, axis=0).astype(np.float32)
    return low, np.maximum(high, low + 1)
