"""SpatialData objects on disk: table, shapes and image become sections (extra `spatialdata`)."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hespotex.common.errors import InputError
from hespotex.common.files import safe_name
from hespotex.sections.ids import by_id, check_unique, name_of, plain_id
from hespotex.sections.images import image_facts
from hespotex.sections.images.copies import copy_of, place_of
from hespotex.sections.names.genes import Genes, genes_of_table
from hespotex.sections.readers.checks.counts import raw_counts
from hespotex.sections.readers.checks.frame import OVERRIDE, Frame
from hespotex.sections.readers.common import check_counts, chosen, existing_folder, rows_with_places
from hespotex.sections.readers.groups import Groups, read_groups
from hespotex.sections.readers.obs import one_patient
from hespotex.sections.readers.pictures import KEY, Images, configured_image
from hespotex.sections.readers.zarr_object import (
    is_rgb,
    levels_of,
    pixels_of,
    read_object,
    systems_of,
)
from hespotex.sections.scale import believable, choose_mpp, pitch_px
from hespotex.sections.section import (
    Section,
    SectionKey,
    check_positions,
    check_spots,
    make_adata,
    place_on_array,
)
from hespotex.sections.stored import Origin

log = logging.getLogger(__name__)
PREDICTED = "hespotex"  # in the uns of a table of predictions
SMALL = ("hires", "lowres", "thumbnail", "downscaled")  # names of reduced pictures
ELEMENTS = ("shapes", "points", "labels")
ATTRIBUTES = (".zattrs", "zarr.json")  # of an image: its place
Positions = NDArray[np.float64]


@dataclass(frozen=True)
class Entry:
    """A section: the rows of a table that annotate one element."""

    path: Path
    table: str
    region: str


class SpatialDataReader:
    """Zarr folders of SpatialData: each element that a table annotates is a section.

    Args:
        root: one `NAME.zarr`, or a folder of them. Sections are called NAME, or NAME_REGION where a
          table annotates several elements.
        image: name of the image element; by default the largest of RGB that shares a coordinate
          system with the spots and is no thumbnail.
        images: image files in its place, see `H5adReader`; with the px of the image element, or of
          the coordinate system where there is none.
        copies: folder into which images are copied as TIFF, once: patches are cut from files. The
          embedding store lists them where it is that folder.
        table: name of the table; by default the only one.
        groups, group_key, mpp, pitch_um, spot_diameter_um, layer, sections: see `H5adReader`.
        check_frame: refuse spots that miss the tissue of the image.
    """

    def __init__(
        self,
        root: str,
        copies: str,
        image: str | None = None,
        images: Images = None,
        table: str | None = None,
        groups: Groups = None,
        group_key: str | None = None,
        mpp: float | None = None,
        pitch_um: float | None = None,
        spot_diameter_um: float = 55.0,
        layer: str | None = None,
        sections: list[str] | None = None,
        check_frame: bool = True,
    ) -> None:
        self.copies = Path(copies)
        self.image = image
        self.images = images
        self.mpp = mpp
        self.pitch_um = pitch_um
        self.spot_diameter_um = spot_diameter_um
        self.layer = layer
        self.check_frame = check_frame
        available = _find(Path(root), table)
        self._all = list(available.values())
        self._entries = chosen(available, sections, root)
        if group_key and not groups:
            groups = {
                name: one_patient(entry.path, _rows(entry).obs, group_key)
                for name, entry in self._entries.items()
            }
        self._groups = read_groups(groups, list(self._entries))

    def section_keys(self) -> list[SectionKey]:
        """A section for each annotated element; the group is as `groups` or `group_key` says."""
        return [SectionKey(name, self._groups[name]) for name in self._entries]

    def entry(self, section_id: str) -> Entry:
        """Where a section lies.

        Raises:
            InputError: there is no such section.
        """
        if section_id not in self._entries:
            raise InputError(f"no section {section_id}, found {sorted(self._entries)[:20]}")
        return self._entries[section_id]

    def n_elements(self, entry: Entry) -> int:
        """How many sections its table has."""
        return sum((one.path, one.table) == (entry.path, entry.table) for one in self._all)

    def genes(self, section_id: str) -> Genes:
        """What is known of its genes without the counts."""
        return genes_of_table(_rows(self._entries[section_id]).var)

    def made_from(self, section_id: str) -> Origin:
        """What a section is made from: all files of its table and element, and the image, whose
        copy is there only once the section was read.
        """
        entry = self._entries[section_id]
        element = self._image_name(section_id, entry)
        image = self._configured(section_id, entry, element) or place_of(
            *self._copy_places(section_id, entry, str(element))
        )
        parts = [entry.path / kind / entry.region for kind in ELEMENTS]
        files = [path for part in parts for path in part.rglob("*")]
        files += (entry.path / "tables" / entry.table).rglob("*")
        files += [entry.path / "images" / str(element) / name for name in ATTRIBUTES]
        how = f"{self.image} {self.mpp} {self.pitch_um} {self.spot_diameter_um} {self.layer}"
        there = sorted(path for path in files if path.is_file())
        return Origin((*there, image), f"spatialdata {how} {self.check_frame} {entry}")

    def read(self, section_id: str) -> Section:
        """The table's rows that have a place, in px of the image element, which is copied to a TIFF
        once.

        Raises:
            InputError: no raw counts, no image that fits the element, or no pixel size.
        """
        entry = self._entries[section_id]
        table = _rows(entry)
        counts, genes = raw_counts(table, entry.path, self.layer)
        barcodes = [str(name) for name in table.obs_names]
        check_counts(section_id, counts, barcodes)
        element = self._image_name(section_id, entry)
        rows, pos = _places(section_id, entry, table, element)
        image = self._configured(section_id, entry, element) or self._copied(
            section_id, entry, str(element)
        )
        size, embedded = image_facts(image)
        choices = [
            (self.mpp, "data.reader.mpp"),
            (embedded if believable(embedded) else None, "embedded in the image"),
        ]
        mpp, source = choose_mpp(section_id, choices, pitch_px(pos), self.pitch_um)
        names = [barcodes[row] for row in rows]
        adata = make_adata(counts[rows], names, genes, pos, section_id)
        key = SectionKey(section_id, self._groups[section_id])
        pitch_um = self.pitch_um or pitch_px(pos) * mpp
        section = Section(key, adata, mpp, source, pitch_um, self.spot_diameter_um, image)
        check_spots(section, *size)
        if self.check_frame:
            Frame(section_id, pos, adata.obs, {}, OVERRIDE).check_image(image, size)
        place_on_array(adata, table.obs.iloc[rows])
        return section

    def _image_name(self, section_id: str, entry: Entry) -> str | None:
        """The image element; None where a file is given and there is none.

        Raises:
            InputError: no image at all, or no such element.
        """
        content = read_object(entry.path)
        if self.image and self.image not in content.images:
            raise InputError(
                f"{section_id}: no image {self.image!r} in {entry.path}, found"
                f" {sorted(content.images)}; set data.reader.image"
            )
        if self.image:
            return self.image
        shared = systems_of(_element(section_id, entry))
        fits = {n: pixels_of(x) for n, x in content.images.items() if shared & systems_of(x)}
        full = {n: x for n, x in fits.items() if is_rgb(x) and not n.lower().endswith(SMALL)}
        if not full and not self.images:
            raise InputError(
                f"{section_id}: no full-resolution RGB image shares a coordinate system with"
                f" {entry.region!r} in {entry.path}; found"
                f" {sorted(content.images) or 'no image'}. Set {KEY} to the"
                " image file, or data.reader.image to the element to take"
            )
        return max(full, key=lambda name: (full[name].size, name), default=None)

    def _configured(self, section_id: str, entry: Entry, element: str | None) -> Path | None:
        """The file that is configured; None where a copy of the element takes its place.

        Raises:
            InputError: neither a file nor an element, or a file of another size than the element.
        """
        file = configured_image(section_id, self.images, self._entries)
        if file is None and element is None:
            raise InputError(f"{section_id}: no image; set {KEY}")
        if file:
            self._check_size(section_id, entry, element, file)
        return file

    def _copied(self, section_id: str, entry: Entry, element: str) -> Path:
        """The copy of the element, made where it is missing.

        Raises:
            InputError: the element is no picture in colours.
        """
        levels = levels_of(read_object(entry.path).images[element])
        if not all(map(is_rgb, levels)):
            raise InputError(
                f"{section_id}: image {element!r} of {entry.path}: expected RGB of 8 bits, found"
                f" {levels[0].shape} of {levels[0].dtype}; set {KEY}, or data.reader.image"
            )
        return copy_of(*self._copy_places(section_id, entry, element), levels)

    def _copy_places(self, section_id: str, entry: Entry, element: str) -> tuple[Path, Path]:
        """Of an element: its folder, and where its copy lies; see `place_of`."""
        target = self.copies / safe_name(section_id) / f"image-{element}"
        return entry.path / "images" / element, target

    def _check_size(self, section_id: str, entry: Entry, element: str | None, file: Path) -> None:
        """Refuse a file of other px than the element in whose px the spots are."""
        if element is None:
            return
        _, height, width = pixels_of(read_object(entry.path).images[element]).shape
        size = image_facts(file)[0]
        if size != (width, height):
            raise InputError(
                f"{section_id}: {file} of {size[0]} x {size[1]} px is not the image {element!r} of"
                f" {entry.path}, of {width} x {height} px; leave {KEY} out to take that one"
            )


def _find(root: Path, table: str | None) -> dict[str, Entry]:
    """The sections by id."""
    existing_folder(root, "data.reader.root")
    inside = sorted(path for path in root.iterdir() if path.suffix == ".zarr" and path.is_dir())
    stores = [root] if (root / "tables").is_dir() else inside
    if not stores:
        raise InputError(
            f"no SpatialData (a folder NAME.zarr with tables/) in {root}; set data.reader.root=PATH"
        )
    pairs: list[tuple[str, Entry]] = []
    for path in stores:
        entries = list(_entries(path, table))
        name = name_of(path).removesuffix(".zarr")
        pairs += [
            (name if len(entries) == 1 else f"{name}_{entry.region}", entry) for entry in entries
        ]
    return by_id(pairs, f"sections in {root}", "rename one of the folders")


def _entries(path: Path, table: str | None) -> Iterator[Entry]:
    """What the table annotates; tables of predictions are not looked at, see `write_back`."""
    stored = read_object(path).tables
    tables = {name: one for name, one in stored.items() if PREDICTED not in one.uns}
    if table is None and len(tables) != 1:
        raise InputError(
            f"{path}: expected one table, found {sorted(tables)}; set data.reader.table"
        )
    name = table or next(iter(tables))
    if name not in tables:
        raise InputError(
            f"{path}: no table {name!r}, found {sorted(tables)}; set data.reader.table"
        )
    tied = tables[name].uns.get("spatialdata_attrs")
    if not tied or not tied.get("region"):
        raise InputError(
            f"{path}: the table {name!r} does not say which shapes its rows are (no region); tie it"
            " to them with spatialdata.models.TableModel.parse"
        )
    regions = [tied["region"]] if isinstance(tied["region"], str) else list(tied["region"])
    for region in regions:
        yield Entry(path, name, str(region))


def _rows(entry: Entry) -> Any:
    """The rows of the table that annotate the section's element."""
    table = read_object(entry.path).tables[entry.table]
    column = table.uns["spatialdata_attrs"]["region_key"]
    return table[np.array([str(value) == entry.region for value in table.obs[column]])]


def _element(section_id: str, entry: Entry) -> Any:
    """What the section's rows of the table are of."""
    content = read_object(entry.path)
    if entry.region not in content:
        raise InputError(
            f"{section_id}: the table {entry.table!r} of {entry.path} annotates"
            f" {entry.region!r}, which is not there"
        )
    return content[entry.region]


def _places(
    section_id: str, entry: Entry, table: Any, image: str | None
) -> tuple[NDArray[np.int64], Positions]:
    """Rows of the table that have a place, and their centres (n, 2) in px of the image element, or
    of the coordinate system.
    """
    places = _centres(section_id, entry, image)
    names = [plain_id(v) for v in table.obs[table.uns["spatialdata_attrs"]["instance_key"]]]
    check_unique(names, f"{section_id}: instances of {entry.table}", "one row for each spot")
    lacks = f"is in {entry.region!r} of {entry.path}"
    rows = rows_with_places(section_id, names, places.index, "instance", lacks)
    pos = places.loc[[names[row] for row in rows]].to_numpy(np.float64)
    check_positions(section_id, pos)
    return rows, pos


def _centres(section_id: str, entry: Entry, image: str | None) -> pd.DataFrame:
    """Centres by the name of the instance."""
    from spatialdata import get_centroids
    from spatialdata.transformations import get_transformation_between_coordinate_systems

    content = read_object(entry.path)
    element = _element(section_id, entry)
    shared = systems_of(element)
    shared = shared & systems_of(content.images[image]) if image else shared
    if not shared:
        raise InputError(
            f"{section_id}: image {image!r} and {entry.region!r} of {entry.path} share no"
            " coordinate system; set data.reader.image to one that does"
        )
    system = "global" if "global" in shared else min(shared)
    try:
        table = get_centroids(element, system).compute()
        pos = table[["x", "y"]].to_numpy(np.float64)
        if image:
            way = get_transformation_between_coordinate_systems(
                content, system, content.images[image]
            )
            matrix = way.to_affine_matrix(("x", "y"), ("x", "y"))
            pos = pos @ matrix[:2, :2].T + matrix[:2, 2]
    except Exception as error:  # spatialdata raises many kinds
        raise InputError(
            f"{section_id}: {entry.region!r} of {entry.path} cannot be placed on the image"
            f" ({type(error).__name__}: {error})"
        ) from error
    names = [plain_id(name) for name in table.index]
    check_unique(names, f"{entry.region} of {entry.path}", "each spot needs a name of its own")
    return pd.DataFrame(pos, index=pd.Index(names, dtype=object))
