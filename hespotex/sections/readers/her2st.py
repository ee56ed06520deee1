"""Legacy ST in the her2st layout: ST-cnts, ST-spotfiles, ST-imgs, and labels where they are
(Andersson et al. 2021).
"""

import re
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from hespotex.common.errors import InputError
from hespotex.sections.ids import by_id, check_unique
from hespotex.sections.images import image_facts
from hespotex.sections.names.genes import Genes, genes_of
from hespotex.sections.readers.checks.frame import OVERRIDE, Frame
from hespotex.sections.readers.checks.on_tissue import yes_or_no
from hespotex.sections.readers.common import (
    check_counts,
    chosen,
    existing_folder,
    log_join,
    numbers_of,
    only,
    read_table,
)
from hespotex.sections.readers.plain_table import first_line, plain_table
from hespotex.sections.scale import choose_mpp, pitch_px
from hespotex.sections.section import (
    ARRAY,
    Section,
    SectionKey,
    check_positions,
    make_adata,
    place_on_array,
)
from hespotex.sections.stored import Origin

COUNTS = re.compile(r"(.+)\.tsv(\.gz)?$")
UNLABELLED = "undetermined"
FARTHEST = 1e6  # places along an array
IMAGES = (".jpg", ".jpeg", ".png", ".tif", ".tiff")
Numbers = NDArray[np.float64]
ONE_LINE = "leave one line for each spot"


class Her2stReader:
    """Sections `{A1}` of a folder; the patient is the letter.

    Args:
        root: folder with `ST-cnts/`, `ST-spotfiles/` and `ST-imgs/`; of `ST-pat/lbl/` the sections
          that a pathologist has labelled get their `obs["label"]`.
        mpp: um per px; by default read off the spot pitch.
        sections: ids to use; by default all that have counts.
        pitch_um: distance of neighbouring spots: 200 um for ST 1k arrays, 100 um for 2k.
        spot_diameter_um: 100 um.
        check_frame: refuse spots that miss the tissue where another frame would meet it, and an
          array that lies mirrored on the image.
    """

    def __init__(
        self,
        root: str,
        mpp: float | None = None,
        sections: list[str] | None = None,
        pitch_um: float = 200.0,
        spot_diameter_um: float = 100.0,
        check_frame: bool = True,
    ) -> None:
        self.root = Path(root)
        self.mpp = mpp
        self.pitch_um = pitch_um
        self.spot_diameter_um = spot_diameter_um
        self.check_frame = check_frame
        self._counts = self._find(sections)

    def section_keys(self) -> list[SectionKey]:
        """The group is the first letter: A1 to A6 are of patient A."""
        return [SectionKey(section_id, group=section_id[0]) for section_id in self._counts]

    def genes(self, section_id: str) -> Genes:
        """What is known of its genes without the counts."""
        path = self._counts[section_id]
        return genes_of(first_line(path) or _gene_names(path))

    def made_from(self, section_id: str) -> Origin:
        """What a section is made from."""
        files = [self._counts[section_id], self._spot_file(section_id)]
        files += [path for path in [self._label_file(section_id)] if path.is_file()]
        lengths = self.mpp, self.pitch_um, self.spot_diameter_um
        how = f"her2st {lengths} {self.check_frame}"
        return Origin((*files, self._image_file(section_id)), how)

    def read(self, section_id: str) -> Section:
        """Spots with counts and a position that was selected; labels where a pathologist gave them.

        Raises:
            InputError: a table is missing or broken, the tables share no spot, or the spots do not
              fit the image.
        """
        counts = _counts(self._counts[section_id])
        spots = self._spots(section_id)
        shared = self._shared(section_id, counts, spots)
        spots = spots.loc[shared]
        file = str(self._spot_file(section_id))
        pos = _columns(spots, ("pixel_x", "pixel_y"), file)
        array = _columns(spots, _places(spots), file)
        check_positions(section_id, pos)
        mpp, source = choose_mpp(
            section_id, [(self.mpp, "data.reader.mpp")], pitch_px(pos, array), self.pitch_um
        )
        return Section(
            key=SectionKey(section_id, section_id[0]),
            adata=self._table(section_id, counts.loc[shared], pos, array),
            mpp=mpp,
            mpp_source=source,
            pitch_um=self.pitch_um,
            spot_diameter_um=self.spot_diameter_um,
            image=self._image(section_id, pos, array),
        )

    def _spots(self, section_id: str) -> pd.DataFrame:
        """Spots that were selected, by their place on the array."""
        path = self._spot_file(section_id)
        spots = read_table(path)
        if absent := {"x", "y", "pixel_x", "pixel_y"} - set(spots):
            raise InputError(f"{path}: columns missing: {sorted(absent)}; found {list(spots)}")
        spots.index = _names(spots, str(path))
        if "selected" in spots:
            way_out = "put the column right, or leave it out"
            spots = spots[yes_or_no(spots["selected"], f"{path}: selected", way_out)]
        spots = spots.drop_duplicates()
        check_unique(list(spots.index), f"spots of {path}", ONE_LINE)
        return spots

    def _shared(self, section_id: str, counts: pd.DataFrame, spots: pd.DataFrame) -> list[str]:
        """Spots that have both counts and a position."""
        shared = [name for name in counts.index if name in spots.index]
        log_join(section_id, len(counts), len(spots), len(shared))
        if not shared:
            raise InputError(
                f"{section_id}: no spot of {self._counts[section_id]} is in"
                f" {self._spot_file(section_id)}"
            )
        return shared

    def _table(
        self, section_id: str, counts: pd.DataFrame, pos: Numbers, array: Numbers
    ) -> ad.AnnData:
        """Counts, positions, and the pathologist's labels where there are some."""
        matrix = sparse.csr_matrix(counts.to_numpy(np.float32))
        spots = list(counts.index)
        check_counts(section_id, matrix, spots)
        adata = make_adata(matrix, spots, [str(gene) for gene in counts.columns], pos, section_id)
        place_on_array(adata, array)
        labels = self._label_file(section_id)
        if labels.is_file():
            adata.obs["label"] = _labels(labels).reindex(spots).to_numpy()
        return adata

    def _image(self, section_id: str, pos: Numbers, array: Numbers) -> Path:
        """The microscope image, and whether the spots lie on its tissue."""
        image = self._image_file(section_id)
        if self.check_frame:
            places = pd.DataFrame(array, columns=list(ARRAY))
            frame = Frame(section_id, pos, places, {}, OVERRIDE)
            frame.check_turn()
            frame.check_image(image, image_facts(image)[0])
        return image

    def _find(self, sections: list[str] | None) -> dict[str, Path]:
        folder = existing_folder(self.root / "ST-cnts", "data.reader.root")
        files = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
        pairs = ((match[1], path) for path in files if (match := COUNTS.match(path.name)))
        tables = by_id(pairs, f"tables of counts in {folder}", "keep one of them")
        if not tables:
            raise InputError(f"no counts such as A1.tsv.gz in {folder}: is data.reader.root right?")
        return chosen(tables, sections, folder)

    def _image_file(self, section_id: str) -> Path:
        return only(self.root / "ST-imgs" / section_id[0] / section_id, IMAGES)

    def _label_file(self, section_id: str) -> Path:
        return self.root / "ST-pat" / "lbl" / f"{section_id}_labeled_coordinates.tsv"

    def _spot_file(self, section_id: str) -> Path:
        return self.root / "ST-spotfiles" / f"{section_id}_selection.tsv"


def _places(spots: pd.DataFrame) -> tuple[str, str]:
    """Columns of the place on the array: measured where that was done, else the whole numbers."""
    fine = ("new_x", "new_y")
    return fine if set(fine) <= set(spots) else ("x", "y")


def _columns(table: pd.DataFrame, names: tuple[str, str], where: str) -> Numbers:
    """Two columns as numbers (n, 2)."""
    return np.stack([numbers_of(table, name, where) for name in names], axis=1)


def _names(spots: pd.DataFrame, where: str) -> pd.Index:
    """`10x13`: the place on the array, which joins the files."""
    places = _columns(spots, ("x", "y"), where)
    if not (np.abs(places) < FARTHEST).all():
        raise InputError(f"{where}: columns x and y must hold the place of each spot on the array")
    return pd.Index([f"{round(x)}x{round(y)}" for x, y in places])


def _labels(path: Path) -> pd.Series:
    """A pathologist's label of each spot that has one, by place on the array."""
    table = read_table(path)
    if absent := {"x", "y", "label"} - set(table):
        raise InputError(f"{path}: columns missing: {sorted(absent)}; found {list(table)}")
    table = table.dropna(subset=["x", "y", "label"])
    table.index = _names(table, str(path))
    labels = table["label"].astype(str).str.strip()
    labels = labels[(labels != "") & (labels != UNLABELLED)]
    labels = labels[
        ~pd.Series(list(zip(labels.index, labels, strict=True))).duplicated().to_numpy()
    ]
    check_unique(list(labels.index), f"labels of {path}", ONE_LINE)
    return labels


def _counts(path: Path) -> pd.DataFrame:
    """Raw counts, spots down; gene names as they are in the file, repeated ones included."""
    counts = plain_table(path)
    counts = _any_counts(path) if counts is None else counts
    check_unique([str(name) for name in counts.index], f"spots of {path}", ONE_LINE)
    return counts


def _any_counts(path: Path) -> pd.DataFrame:
    """Of a table that is not plain: it is put right, or the error says what is wrong with it."""
    genes = _gene_names(path)
    counts = read_table(path, header=None, skiprows=1, index_col=0)
    if len(genes) != counts.shape[1]:
        raise InputError(
            f"{path}: {len(genes)} genes in the first line, but {counts.shape[1]} columns of counts"
        )
    for column in counts:
        if counts[column].dtype.kind not in "iuf":
            counts[column] = numbers_of(counts, column, str(path))
    counts.columns = pd.Index(genes)
    return counts


def _gene_names(path: Path) -> list[str]:
    """The first line of a table of counts."""
    first = read_table(path, header=None, nrows=1, dtype=str, keep_default_na=False)
    return list(first.iloc[0, 1:])
