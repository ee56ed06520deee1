"""Any section: one h5ad with `obsm["spatial"]` and one image; also the released project's flat
folder.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from hespotex.common.errors import InputError
from hespotex.sections.ids import by_id, h5ads_in, name_files
from hespotex.sections.images import image_facts
from hespotex.sections.names.genes import Genes
from hespotex.sections.readers.checks.frame import as_number
from hespotex.sections.readers.checks.on_tissue import COLUMN
from hespotex.sections.readers.common import chosen, existing_folder
from hespotex.sections.readers.groups import Groups, read_groups
from hespotex.sections.readers.libraries import Library, libraries_in
from hespotex.sections.readers.measured import How, read_measured
from hespotex.sections.readers.obs import one_patient, read_genes, read_obs
from hespotex.sections.readers.pictures import (
    Images,
    configured_image,
    image_beside,
    images_of,
    one_image,
)
from hespotex.sections.scale import believable, choose_mpp, pitch_px
from hespotex.sections.section import Section, SectionKey, check_spots, make_adata, place_on_array
from hespotex.sections.stored import Origin


class H5adReader:
    """Files `{section_id}.h5ad` with raw counts, and an image for each; also files of several
    sections.

    Args:
        root: a folder, or a list of files.
        images: a folder with `{section_id}.tif`, `{section_id: path}`, or the path for one section;
          by default the image of the same name beside the h5ad.
        groups: patients, see `read_groups`; group_key: or the column of `obs` that holds them.
        mpp: um per px; by default `microns_per_pixel` of `uns["spatial"]`, then what the image
          says, then the pitch.
        pitch_um: distance of neighbouring spots, which checks the pixel size; None leaves it
          unchecked.
        spot_diameter_um: side of what a spot covers.
        layer: layer with the raw counts, or "raw" for `.raw`; None is `X`, or `.raw` where `X`
          holds none.
        sections: ids to use; by default all.
        in_tissue: column of `obs` that says which spots lie on tissue; the others are left out.
          None takes all.
        check_frame: refuse positions that are no px of the image, x then y. Without it a file is
          one section, whatever libraries it holds.
        library_key: column of `obs` that names each spot's section, where a file holds several;
          they are called `{file}_{name}`. None looks for it: `library_id`, or a column whose values
          are the keys of `uns["spatial"]`.
    """

    def __init__(
        self,
        root: str | list[str],
        images: Images = None,
        groups: Groups = None,
        group_key: str | None = None,
        mpp: float | None = None,
        pitch_um: float | None = None,
        spot_diameter_um: float = 55.0,
        layer: str | None = None,
        sections: list[str] | None = None,
        in_tissue: str | None = COLUMN,
        check_frame: bool = True,
        library_key: str | None = None,
    ) -> None:
        self.images = images
        self.mpp = mpp
        self.pitch_um = pitch_um
        self.spot_diameter_um = spot_diameter_um
        self.how = How(layer, in_tissue, check_frame)
        split = check_frame or library_key is not None
        entries = _sections(_find(root), library_key) if split else _whole(_find(root))
        self._files = chosen(entries, sections, str(root))
        if group_key and not groups:
            groups = {name: entry.patient(group_key) for name, entry in self._files.items()}
        self._groups = read_groups(groups, list(self._files))

    def section_keys(self) -> list[SectionKey]:
        """A section for each file, or each library of one; the group is as `groups` or `group_key`
        says.
        """
        return [SectionKey(name, self._groups[name]) for name in self._files]

    def genes(self, section_id: str) -> Genes:
        """What is known of its genes without the counts."""
        return read_genes(self._files[section_id].path)

    def made_from(self, section_id: str) -> Origin:
        """What a section is made from."""
        entry = self._files[section_id]
        files = entry.path, self._image(section_id)
        lengths = self.mpp, self.pitch_um, self.spot_diameter_um
        return Origin(files, f"h5ad {lengths} {replace(self.how, library=entry.library)}")

    def _image(self, section_id: str) -> Path:
        path = configured_image(section_id, self.images, self._files)
        return path or self._files[section_id].image(section_id, self._files)

    def read(self, section_id: str) -> Section:
        """Spots on tissue and their raw counts; the pixel size is found as `mpp` says.

        Raises:
            InputError: no raw counts, no image, no pixel size, or positions that do not fit the
              image.
        """
        entry = self._files[section_id]
        spots = read_measured(section_id, entry.path, replace(self.how, library=entry.library))
        image = self._image(section_id)
        size, embedded = image_facts(image)
        pos = spots.pos
        stored_mpp = as_number(spots.frame.factors.get("microns_per_pixel"))
        choices = [
            (self.mpp, "data.reader.mpp"),
            (stored_mpp if believable(stored_mpp) else None, 'uns["spatial"]'),
            (embedded if believable(embedded) else None, "embedded in the image"),
        ]
        mpp, source = choose_mpp(section_id, choices, pitch_px(pos), self.pitch_um)
        table = make_adata(spots.counts, spots.barcodes, spots.genes, pos, section_id)
        place_on_array(table, spots.obs)
        pitch_um = self.pitch_um or pitch_px(pos) * mpp
        key = SectionKey(section_id, self._groups[section_id])
        section = Section(key, table, mpp, source, pitch_um, self.spot_diameter_um, image)
        check_spots(section, *size)
        if self.how.check_frame:
            spots.frame.check_turn()
            spots.frame.check_image(image, size)
        return section


@dataclass(frozen=True)
class Entry:
    """A section: an h5ad, or one library of it."""

    path: Path
    library: Library | None = None

    def patient(self, group_key: str) -> str:
        """The one value of a column of `obs`, see `one_patient`."""
        obs = read_obs(self.path)
        return one_patient(
            self.path, obs[self.library.spots(obs)] if self.library else obs, group_key
        )

    def image(self, section_id: str, section_ids: Collection[str]) -> Path:
        """The image of its name in its folder, that of the section or of the library."""
        if self.library is None:
            return image_beside(section_id, self.path)
        folder = self.path.parent
        images = images_of(folder, section_id, section_ids)
        images = images or images_of(folder, self.library.name, section_ids)
        return one_image(section_id, images, folder)


def _whole(files: Mapping[str, Path]) -> dict[str, Entry]:
    return {name: Entry(path) for name, path in files.items()}


def _sections(files: Mapping[str, Path], library_key: str | None) -> dict[str, Entry]:
    """Each file, or each library of one that holds several; a broken file is told when it is
    read.
    """
    pairs: list[tuple[str, Entry]] = []
    for name, path in files.items():
        try:
            libraries = libraries_in(path, library_key)
        except InputError:
            if library_key:
                raise
            libraries = []
        pairs += [(f"{name}_{one.name}", Entry(path, one)) for one in libraries]
        pairs += [] if libraries else [(name, Entry(path))]
    return by_id(pairs, "sections in data.reader.root", "rename one of the files")


def _find(root: str | list[str]) -> dict[str, Path]:
    """The files by section id; those of a list that share their name are told apart by folder."""
    if not isinstance(root, str):
        return name_files([Path(str(path)) for path in root], "data.reader.root")
    if Path(root).is_file():
        return {Path(root).stem: Path(root)}
    files = h5ads_in(existing_folder(Path(root), "data.reader.root"))
    if not files:
        raise InputError(f"no h5ad file in {root}; set data.reader.root=FOLDER or [A.h5ad,B.h5ad]")
    return files
