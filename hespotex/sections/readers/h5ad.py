"""Any section: one h5ad with `obsm["spatial"]` and one image; also the released project's flat
folder.
"""

from pathlib import Path

from hespotex.common.errors import InputError
from hespotex.sections.ids import h5ads_in, name_files
from hespotex.sections.images import image_facts
from hespotex.sections.names.genes import Genes
from hespotex.sections.readers.checks.frame import as_number
from hespotex.sections.readers.checks.on_tissue import COLUMN
from hespotex.sections.readers.common import chosen, existing_folder
from hespotex.sections.readers.groups import Groups, read_groups
from hespotex.sections.readers.measured import How, read_measured
from hespotex.sections.readers.obs import one_patient, read_genes
from hespotex.sections.readers.pictures import Images, configured_image, image_beside
from hespotex.sections.scale import believable, choose_mpp, pitch_px
from hespotex.sections.section import Section, SectionKey, check_spots, make_adata, place_on_array


class H5adReader:
    """Files `{section_id}.h5ad` with raw counts, and an image for each.

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
        check_frame: refuse positions that are no px of the image, x then y, and several libraries
          in one file.
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
    ) -> None:
        self.images = images
        self.mpp = mpp
        self.pitch_um = pitch_um
        self.spot_diameter_um = spot_diameter_um
        self.how = How(layer, in_tissue, check_frame)
        self._files = chosen(_find(root), sections, str(root))
        if group_key and not groups:
            groups = {name: one_patient(path, group_key) for name, path in self._files.items()}
        self._groups = read_groups(groups, list(self._files))

    def section_keys(self) -> list[SectionKey]:
        return [SectionKey(name, self._groups[name]) for name in self._files]

    def genes(self, section_id: str) -> Genes:
        """What is known of its genes without the counts."""
        return read_genes(self._files[section_id])

    def read(self, section_id: str) -> Section:
        path = self._files[section_id]
        spots = read_measured(section_id, path, self.how)
        image = configured_image(section_id, self.images, self._files)
        image = image or image_beside(section_id, path)
        size, embedded = image_facts(image)
        pos = spots.pos
        told = as_number(spots.frame.factors.get("microns_per_pixel"))
        choices = [
            (self.mpp, "data.reader.mpp"),
            (told if believable(told) else None, 'uns["spatial"]'),
            (embedded if believable(embedded) else None, "embedded in the image"),
        ]
        mpp, source = choose_mpp(section_id, choices, pitch_px(pos), self.pitch_um)
        table = make_adata(spots.counts, spots.barcodes, spots.genes, pos)
        place_on_array(table, spots.obs)
        pitch_um = self.pitch_um or pitch_px(pos) * mpp
        key = SectionKey(section_id, self._groups[section_id])
        section = Section(key, table, mpp, source, pitch_um, self.spot_diameter_um, image)
        check_spots(section, *size)
        if self.how.check_frame:
            spots.frame.check_turn()
            spots.frame.check_image(image, size)
        return section


def _find(root: str | list[str]) -> dict[str, Path]:
    """The files by section id; those of a list that share their name are told apart by folder."""
    if not isinstance(root, str):
        return name_files([Path(str(path)) for path in root], "data.reader.root")
    if Path(root).is_file():
        return {Path(root).stem: Path(root)}
    found = h5ads_in(existing_folder(Path(root), "data.reader.root"))
    if not found:
        raise InputError(f"no h5ad file in {root}; set data.reader.root=FOLDER or [A.h5ad,B.h5ad]")
    return found
