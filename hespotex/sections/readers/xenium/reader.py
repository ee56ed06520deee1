"""Xenium: cells, or squares of them, on the H&E of the same section."""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hespotex.common.errors import InputError
from hespotex.sections.ids import by_id, name_of
from hespotex.sections.images import image_facts
from hespotex.sections.names.genes import Genes
from hespotex.sections.readers.checks.frame import OVERRIDE, Frame
from hespotex.sections.readers.common import chosen, existing_folder
from hespotex.sections.readers.groups import Groups, read_groups
from hespotex.sections.readers.pictures import KEY as IMAGES
from hespotex.sections.readers.pictures import (
    Images,
    configured_image,
    images_in,
    images_of,
    one_image,
)
from hespotex.sections.readers.spaceranger.find import files_of
from hespotex.sections.readers.spaceranger.matrix import matrix_genes
from hespotex.sections.readers.xenium.alignment import KEY as ALIGNMENTS
from hespotex.sections.readers.xenium.alignment import (
    Alignment,
    Alignments,
    alignment_file,
    read_alignment,
)
from hespotex.sections.readers.xenium.bundle import (
    EXPERIMENT,
    matrix_of,
    pixel_um,
    read_cells,
    table_file,
    transcripts,
)
from hespotex.sections.readers.xenium.squares import Squares, pool_rows, pool_transcripts
from hespotex.sections.scale import pitch_px
from hespotex.sections.section import Section, SectionKey, check_spots, make_adata, place_on_array
from hespotex.sections.stored import Origin

log = logging.getLogger(__name__)
UNITS = ("spots", "cells")
COUNTS = ("cells", "transcripts")
MOST_OUTSIDE = 0.2  # share of cells or transcripts that may lie beyond the H&E
MORPHOLOGY = "morphology"  # how the bundle's own pictures begin
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Spots:
    """`counts` (n_spots, n_genes), `pos` (n_spots, 2) px of the H&E, and of squares `array`
    (n_spots, 2), column and row.
    """

    names: list[str]
    genes: list[str]
    counts: sparse.csr_matrix
    pos: Floats
    array: Floats | None = None


class XeniumReader:
    """One bundle, or a folder of bundles or of folders that hold one in `outs/`.

    Args:
        root: that folder; the section's id is the name of the bundle, or of the folder around
          `outs`.
        images: H&E images: a folder with `{section_id}.tif`, `{section_id: path}`, or the path for
          one section; by default the one in the bundle or of its name beside it.
        alignments: `{section_id: path}`, or the path for one section, of the matrices that Xenium
          Explorer exports; by default `*imagealignment.csv` in the bundle or beside the image.
        groups: patients, see `read_groups`.
        sections: ids to use; by default all.
        unit: "spots": squares of the H&E, or "cells".
        spot_um: side of a square.
        counts: of a square: "cells": those of the cells whose centroid lies in it, or
          "transcripts": all transcripts in it, inside cells or not, as in HEST-1k.
        min_quality: transcripts of a lower Phred score are left out; cells have 20. HEST-1k takes
          all: 0.
        check_frame: refuse cells that miss the tissue of the image, and a pixel size that the image
          contradicts.
    """

    def __init__(
        self,
        root: str,
        images: Images = None,
        alignments: Alignments = None,
        groups: Groups = None,
        sections: list[str] | None = None,
        unit: str = "spots",
        spot_um: float = 100.0,
        counts: str = "cells",
        min_quality: float = 20.0,
        check_frame: bool = True,
    ) -> None:
        _check_options(unit, spot_um, counts)
        self.images = images
        self.alignments = alignments
        self.unit = unit
        self.spot_um = spot_um
        self.counts = counts
        self.min_quality = min_quality
        self.check_frame = check_frame
        self._bundles = chosen(_find(Path(root)), sections, root)
        self._groups = read_groups(groups, list(self._bundles))

    def section_keys(self) -> list[SectionKey]:
        """A section for each bundle; each is its own group unless `groups` names patients."""
        return [SectionKey(name, self._groups[name]) for name in self._bundles]

    def genes(self, section_id: str) -> Genes:
        """What is known of its genes without the counts."""
        return matrix_genes(matrix_of(self._bundles[section_id]))

    def made_from(self, section_id: str) -> Origin:
        """What a section is made from."""
        bundle = self._bundles[section_id]
        image = self._image(section_id, bundle)
        files = [bundle / EXPERIMENT, *files_of(matrix_of(bundle)), table_file(bundle, self.counts)]
        files += [self._alignment(section_id, bundle, image), image]
        how = f"{self.unit} {self.spot_um} {self.counts} {self.min_quality} {self.check_frame}"
        return Origin(tuple(files), f"xenium {how}")

    def _alignment(self, section_id: str, bundle: Path, image: Path) -> Path:
        return alignment_file(section_id, self.alignments, self._bundles, bundle, image)

    def read(self, section_id: str) -> Section:
        """Cells, or squares of `spot_um`, moved onto the H&E by the alignment, which also gives the
        pixel size.

        Raises:
            InputError: no H&E, no alignment, or too many cells or transcripts outside the image.
        """
        bundle = self._bundles[section_id]
        image = self._image(section_id, bundle)
        size, embedded = image_facts(image)
        file = self._alignment(section_id, bundle, image)
        alignment = read_alignment(section_id, file, pixel_um(bundle))
        if self.check_frame:
            alignment.check(section_id, embedded)
        spots = self._spots(section_id, bundle, alignment, size)
        pitch_um = self.spot_um if self.unit == "spots" else pitch_px(spots.pos) * alignment.mpp
        table = make_adata(spots.counts, spots.names, spots.genes, spots.pos, section_id)
        key = SectionKey(section_id, self._groups[section_id])
        source = f"alignment {file.name}"
        section = Section(key, table, alignment.mpp, source, pitch_um, pitch_um, image)
        check_spots(section, *size)
        if self.check_frame:
            Frame(section_id, spots.pos, table.obs, {}, OVERRIDE).check_image(image, size)
        if spots.array is not None:
            place_on_array(table, spots.array)
        return section

    def _spots(
        self, section_id: str, bundle: Path, alignment: Alignment, size: tuple[int, int]
    ) -> Spots:
        """Cells, or squares in the order of their rows."""
        squares = Squares(self.spot_um / alignment.mpp, size)
        if self.counts == "transcripts":
            return self._of_transcripts(section_id, bundle, alignment, squares)
        counts, names, genes, um = read_cells(section_id, bundle)
        pos = alignment.to_px(um)
        if self.unit == "cells":
            keep = np.asarray(((pos >= 0) & (pos <= size)).all(axis=1))
            _check_outside(section_id, "cells", keep.sum(), len(keep), alignment)
            cells = [name for name, one in zip(names, keep, strict=True) if one]
            return Spots(cells, genes, counts[keep], pos[keep])
        keep = squares.inside(pos)
        _check_outside(section_id, "cells", keep.sum(), len(keep), alignment)
        pooled, numbers = pool_rows(counts[keep], squares.numbers(pos[keep]))
        return _as_spots(genes, pooled, numbers, squares)

    def _of_transcripts(
        self, section_id: str, bundle: Path, alignment: Alignment, squares: Squares
    ) -> Spots:
        genes = list(matrix_genes(matrix_of(bundle)).names)
        totals = np.zeros(2, dtype=np.int64)  # on the image, and in all
        batches = []
        for names, um in transcripts(bundle, self.min_quality):
            pos = alignment.to_px(um)
            keep = squares.inside(pos)
            totals += [keep.sum(), len(keep)]
            batches.append((names[keep], squares.numbers(pos[keep])))
        _check_outside(section_id, "transcripts", int(totals[0]), int(totals[1]), alignment)
        pooled, numbers = pool_transcripts(batches, genes)
        return _as_spots(genes, pooled, numbers, squares)

    def _image(self, section_id: str, bundle: Path) -> Path:
        """The H&E: none of the bundle's own pictures of fluorescence.

        Raises:
            InputError: there is none, or there are several.
        """
        configured = configured_image(section_id, self.images, self._bundles)
        if configured:
            return configured
        around = bundle.parent if bundle.name == "outs" else bundle
        images = [path for path in images_in(bundle) if not path.name.startswith(MORPHOLOGY)]
        images = images or (images_in(around) if around != bundle else [])
        images = images or images_of(around.parent, section_id, self._bundles)
        if not images:
            raise InputError(
                f"{section_id}: no H&E in {bundle} or beside it: expected *_he_image.ome.tif or"
                f" {section_id}.tif; the {MORPHOLOGY} images of the bundle are fluorescence. Set"
                f" {IMAGES}"
            )
        he_images = [path for path in images if "he_image" in path.name.lower()]
        return one_image(section_id, he_images or images, bundle)


def _check_options(unit: str, spot_um: float, counts: str) -> None:
    if unit not in UNITS:
        raise InputError(f"data.reader.unit={unit!r}: expected {' or '.join(UNITS)}")
    if counts not in COUNTS:
        raise InputError(f"data.reader.counts={counts!r}: expected {' or '.join(COUNTS)}")
    if unit == "cells" and counts != "cells":
        raise InputError("data.reader.unit=cells takes the counts of cells: set counts=cells")
    if not spot_um > 0:
        raise InputError(f"data.reader.spot_um={spot_um}: expected the side of a square in um")


def _check_outside(
    section_id: str, label: str, n_inside: int, n_all: int, alignment: Alignment
) -> None:
    """Say how many are left out.

    Raises:
        InputError: too many for an alignment that is right, or none is there.
    """
    n_outside = n_all - n_inside
    if not n_inside or n_outside > MOST_OUTSIDE * n_all:
        raise InputError(
            f"{section_id}: {n_outside} of {n_all} {label} lie outside the image by the alignment"
            f" {alignment.file}: is it of this image, from H&E to Xenium? The other direction puts"
            f" cells far away, too; set {ALIGNMENTS} or {IMAGES} to those that belong together"
        )
    if n_outside:
        message = "%s: %d of %d %s lie outside the image: left out"
        log.info(message, section_id, n_outside, n_all, label)


def _as_spots(
    genes: list[str], counts: sparse.csr_matrix, numbers: NDArray[np.int64], squares: Squares
) -> Spots:
    array = squares.array(numbers)
    names = [f"{row:04.0f}x{column:04.0f}" for column, row in array]
    return Spots(names, genes, counts, squares.middles(numbers), array)


def _find(root: Path) -> dict[str, Path]:
    """Bundles by name, in `root` or in folders inside it."""
    existing_folder(root, "data.reader.root")
    folders = [root, root / "outs"]
    folders += [p for f in sorted(root.iterdir()) if f.is_dir() for p in (f, f / "outs")]
    bundles = dict.fromkeys(path for path in folders if (path / EXPERIMENT).is_file())
    bundles_by_id = by_id(
        ((_name(path), path) for path in bundles),
        f"bundles of one name in {root}",
        "rename one, or set data.reader.root to one of them",
    )
    if not bundles_by_id:
        raise InputError(
            f"no Xenium bundle (a folder with {EXPERIMENT}) in {root} or in folders inside it; set"
            " data.reader.root=PATH"
        )
    return bundles_by_id


def _name(bundle: Path) -> str:
    name = name_of(bundle)
    return name_of(bundle.absolute().parent) if name == "outs" else name
