"""One section: is it whole, and do its parts fit together."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from hespotex.checkup.findings import Findings
from hespotex.common.files import safe_name
from hespotex.embeddings.embed import patch_specs
from hespotex.embeddings.encoder import Encoder, NucleiCounter
from hespotex.embeddings.read_ahead import begun_ahead
from hespotex.results.figures.overlay import draw_overlay
from hespotex.sections.images import open_image
from hespotex.sections.patch_reader import patch_reader
from hespotex.sections.scale import pitch_px
from hespotex.sections.section import Section, SectionKey
from hespotex.sections.sections import Sections

HEADER = [
    "section",
    "group",
    "spots",
    "genes",
    "um/px",
    "from",
    "spot distance",
    "image",
    "nuclei",
    "state",
]


class SectionCheck:
    """Examines the sections of a data set.

    Args:
        sections, encoder, nuclei: as training gets them.
        folder: where the overlays go; None for none.
    """

    def __init__(
        self,
        sections: Sections,
        encoder: Encoder,
        nuclei: NucleiCounter | None,
        folder: Path | None,
    ) -> None:
        self.sections = sections
        self.encoder = encoder
        self.nuclei = nuclei
        self.folder = folder

    def each(
        self, keys: Sequence[SectionKey], findings: Findings
    ) -> Iterator[tuple[SectionKey, Section | None, list[str]]]:
        """Of each section its key, the section as training sees it, None if it is broken, and its
        line of the table. The next one is read while one is checked.
        """
        readings = begun_ahead(self._read, keys, workers=1, most=1)
        for key, reading in zip(keys, readings, strict=True):
            yield key, *self._checked(key, reading, findings)

    def _read(self, key: SectionKey) -> Section:
        """Its counts; the image is opened as well, and kept open for the check."""
        section = self.sections.named(key.section_id)
        if section.image:
            with suppress(Exception):  # said by the check
                open_image(section.image)
        return section

    def _checked(
        self, key: SectionKey, reading: Future[Section], findings: Findings
    ) -> tuple[Section | None, list[str]]:
        name = key.section_id
        before = len(findings.problems)
        raw = findings.attempt(reading.result, name)
        if raw is None:
            return None, [name, key.group, *["-"] * (len(HEADER) - 3), "BROKEN"]
        section = findings.attempt(lambda: self.sections.measured(raw), name)
        if section is not None:
            findings.attempt(lambda: self._pixels(section), name)
        if section is not None and len(findings.problems) == before:
            findings.attempt(lambda: self._nuclei(section), name)
            findings.attempt(lambda: self._overlay(section), name)
        sound = len(findings.problems) == before
        return section if sound else None, self._line(section or raw, sound)

    def _pixels(self, section: Section) -> None:
        """The image opens, all spots are on it, and the first patch of each size can be cut."""
        for _, spec in patch_specs(self.encoder):
            reader = patch_reader(section, spec)
            reader(reader.order[:1])

    def _overlay(self, section: Section) -> None:
        if self.folder is not None:
            draw_overlay(
                section,
                sorted({spec.um for _, spec in patch_specs(self.encoder)}),
                self.folder / f"{safe_name(section.section_id)}.png",
            )

    def _nuclei(self, section: Section) -> None:
        if self.nuclei is not None:
            self.nuclei.identity(section)

    def _line(self, section: Section, sound: bool) -> list[str]:
        return [
            section.section_id,
            section.key.group,
            f"{len(section.adata):,}",
            f"{section.adata.n_vars:,}",
            f"{section.mpp:.4g}",
            section.mpp_source,
            f"{spot_distance(section):.0f} of {section.pitch_um:g} um",
            _image(section),
            self.nuclei.name.removeprefix("nuclei-") if self.nuclei else "none",
            "ok" if sound else "BROKEN",
        ]


def spot_distance(section: Section) -> float:
    """Median distance of neighbouring spots (um): of all pairs about a pitch apart, so that jitter
    cancels out.
    """
    pairs = cKDTree(section.pos).query_pairs(1.3 * section.pitch_um, output_type="ndarray")
    distance = np.linalg.norm(section.pos[pairs[:, 0]] - section.pos[pairs[:, 1]], axis=1)
    near = distance[distance > 0.7 * section.pitch_um]
    return float(np.median(near)) if len(near) else pitch_px(section.pos_px) * section.mpp


def _image(section: Section) -> str:
    """Size of the image, or that there are stored patches instead."""
    if section.image is None:
        return "stored patches"
    try:
        width, height = open_image(section.image).size
    except ValueError:  # it is a problem of its own already
        return "unreadable"
    return f"{width:,} x {height:,}"
