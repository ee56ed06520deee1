"""HEST-1k folder: `st/`, `metadata/` and `wsis/` or `patches/` (Jaume et al. 2024)."""

import logging
from collections.abc import Sequence
from pathlib import Path

from hespotex.common.errors import InputError
from hespotex.sections.duplicates import known_pairs, merge_groups
from hespotex.sections.ids import h5ads_in
from hespotex.sections.images import open_image
from hespotex.sections.names.genes import Genes
from hespotex.sections.readers.checks.on_tissue import COLUMN
from hespotex.sections.readers.common import chosen, existing_folder
from hespotex.sections.readers.hest.download import download_folders, fetch
from hespotex.sections.readers.hest.metadata import (
    Meta,
    groups,
    number,
    read_metadata,
    spots_um,
    text,
)
from hespotex.sections.readers.hest.pixels import SOURCES, array_coordinates, find_image
from hespotex.sections.readers.hest.table import (
    SampleTable,
    Select,
    read_sample_table,
    select_ids,
    selects,
    table_from_metadata,
)
from hespotex.sections.readers.measured import How, read_measured
from hespotex.sections.readers.obs import read_genes
from hespotex.sections.readers.stored import with_patches
from hespotex.sections.scale import believable, check_mpp, pitch_px
from hespotex.sections.section import Section, SectionKey, check_spots, make_adata, place_on_array
from hespotex.sections.stored import Origin

log = logging.getLogger(__name__)


class HestReader:
    """Sections `{id}` of a HEST-1k folder. Folders other than those named above are not needed.

    Args:
        root: the folder that holds `st/` and `metadata/`.
        mpp: um per px for all sections; by default the metadata's estimate, then what the image
          says.
        sections: ids to use; by default all in `st/`.
        source: where patches come from: "wsis", "patches", or "auto": the image where there is one.
        patient_pattern: regular expression with one bracket that finds the patient in `subseries`
          where HEST-1k leaves `patient` blank; by default a study with a blank patient is one
          group.
        select: filters on the sample table, see `select_ids`.
        download: fetch the chosen sections from the hub where they are missing.
        folders: what to fetch beside `st` and `metadata`; by default what `source` needs.
        in_tissue, check_frame: see `H5adReader`.
    """

    def __init__(
        self,
        root: str,
        mpp: float | None = None,
        sections: list[str] | None = None,
        source: str = "auto",
        patient_pattern: str | None = None,
        select: Select | None = None,
        download: bool = False,
        folders: list[str] | None = None,
        in_tissue: str | None = COLUMN,
        check_frame: bool = True,
    ) -> None:
        if source not in SOURCES:
            raise InputError(f"data.reader.source={source!r}: expected one of {', '.join(SOURCES)}")
        self.root = Path(root)
        self.mpp = mpp
        self.source = source
        self.how = How(in_tissue=in_tissue, check_frame=check_frame)
        if download:
            fetch(self.root, download_folders(folders, source), select, sections)
        self.table: SampleTable | None = None
        names = self._chosen(sections, select)
        # raised when the section is read, so that the others can be looked at
        self._broken: dict[str, InputError] = {}
        self._meta = {name: self._metadata(name) for name in names}
        keys = [
            SectionKey(name, group) for name, group in groups(self._meta, patient_pattern).items()
        ]
        self._keys = {key.section_id: key for key in merge_groups(keys, known_pairs())}

    def _chosen(self, sections: list[str] | None, select: Select | None) -> list[str]:
        """Sections of `st/` that both `sections` and `select` name."""
        root = existing_folder(self.root, "data.reader.root")
        folder = existing_folder(root / "st", "data.reader.root")
        on_disk = list(h5ads_in(folder))
        if not on_disk:
            raise InputError(
                f"no h5ad file in {folder}: is data.reader.root the folder that holds st/,"
                " metadata/ and wsis/?"
            )
        in_config = chosen(dict.fromkeys(on_disk), sections, folder)
        self.table = read_sample_table(self.root)
        selected = self._selected(on_disk, select or {}) if selects(select) else on_disk
        names = [name for name in selected if name in in_config]
        if not names:
            raise InputError(
                f"no section is in both data.reader.sections={sections} and data.select={select}"
            )
        return names

    @property
    def table_fingerprint(self) -> str | None:
        """Hash of the sample table, None where the folder has none: its patient labels change
        between versions.
        """
        return self.table.fingerprint if self.table else None

    def _metadata(self, section_id: str) -> Meta:
        try:
            return read_metadata(self.root, section_id)
        except InputError as error:
            self._broken[section_id] = error
            return {}

    def section_keys(self) -> list[SectionKey]:
        """The group is the patient of the metadata; groups that share a piece of tissue are one."""
        return list(self._keys.values())

    def genes(self, section_id: str) -> Genes:
        """What is known of its genes without the counts."""
        return read_genes(self.root / "st" / f"{section_id}.h5ad")

    def made_from(self, section_id: str) -> Origin:
        """What a section is made from."""
        pixels = find_image(self.root, section_id, self.source)
        files = [self.root / "st" / f"{section_id}.h5ad"]
        files += [self.root / "metadata" / f"{section_id}.json"]
        files += [pixels or self.root / "patches" / f"{section_id}.h5"]
        return Origin(tuple(files), f"hest {self.mpp} {self.source} {self.how}")

    def read(self, section_id: str) -> Section:
        """Counts from `st/{id}.h5ad`; pixels from `wsis/`, or from `patches/` where there is no
        image.

        Raises:
            InputError: no metadata, no image and no patches, no pixel size, or spots that do not
              fit the image.
        """
        if section_id in self._broken:
            raise self._broken[section_id]
        spots = read_measured(section_id, self.root / "st" / f"{section_id}.h5ad", self.how)
        meta = self._meta[section_id]
        image = find_image(self.root, section_id, self.source)
        pos = spots.pos
        mpp, source = self._mpp(meta, image)
        found_px = pitch_px(pos, *array_coordinates(spots.obs, text(meta.get("st_technology"))))
        pitch_um, diameter_um = spots_um(meta, found_px * mpp)
        check_mpp(section_id, mpp, source, found_px, pitch_um)
        table = make_adata(spots.counts, spots.barcodes, spots.genes, pos, section_id)
        place_on_array(table, spots.obs)
        section = Section(
            key=self._keys[section_id],
            adata=table,
            mpp=mpp,
            mpp_source=source,
            pitch_um=pitch_um,
            spot_diameter_um=diameter_um,
            image=image,
        )
        patches = self.root / "patches" / f"{section_id}.h5"
        if not image and not patches.is_file():
            raise InputError(f"{section_id}: no image: expected wsis/{section_id}.tif or {patches}")
        if image is None:
            return with_patches(section, patches)
        size = open_image(image).size
        check_spots(section, *size)
        if self.how.check_frame:
            spots.frame.check_image(image, size)
        return section

    def _selected(self, on_disk: Sequence[str], select: Select) -> list[str]:
        """The chosen ids that are on disk; ids that were asked for by name must be."""
        table = self.table or table_from_metadata(self.root)
        ids = select_ids(table, select)
        absent = sorted(set(ids) - set(on_disk))
        if len(absent) == len(ids) or (absent and selects({"ids": select.get("ids")})):
            raise InputError(
                f"data.select chooses {len(ids)} sections, of which {self.root / 'st'} lacks"
                f" {absent[:20]}; data.download=true fetches them"
            )
        if absent:
            log.warning(
                "%d of %d selected sections are not in %s: %s",
                len(absent),
                len(ids),
                self.root,
                absent[:20],
            )
        return sorted(set(ids) & set(on_disk))

    def _mpp(self, meta: Meta, image: Path | None) -> tuple[float, str]:
        embedded = open_image(image).mpp if image else number(meta, "pixel_size_um_embedded")
        choices = [
            (self.mpp, "data.reader.mpp"),
            (number(meta, "pixel_size_um_estimated"), "metadata estimate"),
        ]
        for mpp, source in [
            *choices,
            (embedded if believable(embedded) else None, "embedded in the image"),
        ]:
            if mpp:
                return mpp, source
        raise InputError(
            f"{meta.get('id')}: neither metadata nor image tell the pixel size; set data.reader.mpp"
            " (um per px)"
        )
