"""Visium: Space Ranger `outs/` folders (versions 1 to 4, CytAssist included) and the microscope
images beside them.
"""

from pathlib import Path

from hespotex.common.errors import InputError
from hespotex.sections.ids import by_id, name_of
from hespotex.sections.images import image_facts
from hespotex.sections.names.genes import Genes
from hespotex.sections.readers.checks.frame import OVERRIDE, Frame, as_number
from hespotex.sections.readers.checks.fullres import PICTURES, check_full_resolution
from hespotex.sections.readers.common import chosen, existing_folder, read_json
from hespotex.sections.readers.groups import Groups, read_groups
from hespotex.sections.readers.pictures import (
    KEY,
    Images,
    configured_image,
    images_in,
    images_of,
    one_image,
)
from hespotex.sections.readers.spaceranger.files import (
    MATRIX,
    Spots,
    read_spots,
    spots_files,
    spots_genes,
)
from hespotex.sections.readers.spaceranger.find import find_file, need_file
from hespotex.sections.scale import believable, choose_mpp, pitch_px
from hespotex.sections.section import Section, SectionKey, check_spots, make_adata, place_on_array
from hespotex.sections.stored import Origin

SCALE = "scalefactors_json.json"


class VisiumReader:
    """One `outs/` folder, or a folder of sample folders that are one or hold one.

    Args:
        root: that folder; the section's id is the name of the folder, or of the one around `outs`.
        images: microscope images: a folder with `{section_id}.tif`, `{section_id: path}`, or the
          path for one section; by default the one image beside or in `outs/`.
        groups: patients, see `read_groups`.
        mpp: um per px; by default what the image says, else read off the spot pitch.
        sections: ids to use; by default all.
        check_frame: refuse spots that miss the tissue of the image, as on that of another sample.
    """

    pitch_um = 100.0
    spot_diameter_um = 55.0
    step = (2.0, 0.0)  # neighbours in a row are two array columns apart

    def __init__(
        self,
        root: str,
        images: Images = None,
        groups: Groups = None,
        mpp: float | None = None,
        sections: list[str] | None = None,
        check_frame: bool = True,
    ) -> None:
        self.images = images
        self.mpp = mpp
        self.check_frame = check_frame
        self._outs = chosen(self._find(Path(root)), sections, root)
        self._groups = read_groups(groups, list(self._outs))

    def section_keys(self) -> list[SectionKey]:
        """A section for each `outs/`; each is its own group unless `groups` names patients."""
        return [SectionKey(name, self._groups[name]) for name in self._outs]

    def genes(self, section_id: str) -> Genes:
        """What is known of its genes without the counts."""
        return spots_genes(self._counts_folder(section_id, self._outs[section_id]))

    def made_from(self, section_id: str) -> Origin:
        """What a section is made from."""
        outs = self._outs[section_id]
        files = *self._files(section_id, outs), self._image(section_id, outs)
        return Origin(files, f"{type(self).__name__} {self.mpp} {self.check_frame} {self._how()}")

    def _files(self, section_id: str, outs: Path) -> list[Path]:
        """Those of `outs/` that are read."""
        folder = self._counts_folder(section_id, outs)
        return [*spots_files(folder), need_file(folder, SCALE)]

    def _how(self) -> str:
        """Settings by which they are read, beyond those of every such reader."""
        return ""

    def _image(self, section_id: str, outs: Path) -> Path:
        path = configured_image(section_id, self.images, self._outs)
        return path or self._beside(section_id, outs)

    def read(self, section_id: str) -> Section:
        """Spots under tissue and their counts from `outs/`, on the full-resolution image.

        Raises:
            InputError: a file of `outs/` or the image is missing, the image is one of Space
              Ranger's reduced pictures, or the spots do not fit it.
        """
        outs = self._outs[section_id]
        folder, spots = self._spots(section_id, outs)
        scale = read_json(need_file(folder, SCALE))
        image = self._image(section_id, outs)
        size, embedded = image_facts(image)
        check_full_resolution(section_id, image, size, folder, scale, spots.pos_px)
        stored_mpp = as_number(scale.get("microns_per_pixel"))  # Visium HD has it
        choices = [
            (self.mpp, "data.reader.mpp"),
            (stored_mpp if believable(stored_mpp) else None, "scalefactors_json.json"),
            (embedded if believable(embedded) else None, "embedded in the image"),
        ]
        mpp, source = choose_mpp(section_id, choices, *self._ruler(outs, spots))
        adata = make_adata(spots.counts, spots.barcodes, spots.genes, spots.pos_px, section_id)
        key = SectionKey(section_id, self._groups[section_id])
        pitch_um = self.pitch_um
        diameter_um = self.spot_diameter_um
        if spots.array is None:
            pitch_um = diameter_um = pitch_px(spots.pos_px) * mpp
        section = Section(key, adata, mpp, source, pitch_um, diameter_um, image)
        check_spots(section, *size)
        if self.check_frame:
            Frame(section_id, spots.pos_px, adata.obs, scale, OVERRIDE).check_image(image, size)
        if spots.array is not None:
            place_on_array(adata, spots.array)
        return section

    def _ruler(self, outs: Path, spots: Spots) -> tuple[float, float | None]:
        """Distance of neighbours in px, and in um where it is known."""
        return pitch_px(spots.pos_px, spots.array, self.step), self.pitch_um

    def _counts_folder(self, section_id: str, outs: Path) -> Path:
        """The folder that holds matrix and `spatial/`."""
        return outs

    def _spots(self, section_id: str, outs: Path) -> tuple[Path, Spots]:
        """The folder that holds `spatial/`, and its spots."""
        return outs, read_spots(section_id, outs)

    def _is_outs(self, folder: Path) -> bool:
        return find_file(folder, f"{MATRIX}.h5", MATRIX) is not None

    def _find(self, root: Path) -> dict[str, Path]:
        existing_folder(root, "data.reader.root")
        folders = [
            root,
            root / "outs",
            *(p for f in sorted(root.iterdir()) if f.is_dir() for p in (f, f / "outs")),
        ]
        outs = [folder for folder in folders if folder.is_dir() and self._is_outs(folder)]
        outs_by_id = by_id(
            ((_name(folder), folder) for folder in outs),
            f"folders of one name in {root}",
            "rename one, or set data.reader.root to one of them",
        )
        if not outs_by_id:
            raise InputError(
                f"no {self._layout()} in {root} or in folders inside it; set data.reader.root=PATH"
            )
        return outs_by_id

    def _layout(self) -> str:
        return (
            f"Space Ranger outs/ ({MATRIX}.h5 or {MATRIX}/, and spatial/; for Visium HD use"
            " data=visium_hd)"
        )

    def _beside(self, section_id: str, outs: Path) -> Path:
        """The one image in `outs/` or in the sample folder around it, or the one of the section's
        name further up.
        """
        images = [
            *images_in(outs),
            *(
                images_in(outs.parent)
                if outs.name == "outs"
                else images_of(outs.parent, section_id)
            ),
        ]
        images = [path for path in images if not path.stem.endswith(PICTURES)]
        if not images:
            raise InputError(
                f"{section_id}: outs/ does not hold the full-resolution microscope image, and there"
                f" is none beside {outs}; set {KEY} to the image that spaceranger was given (a"
                f" folder with {section_id}.tif, {{ID: PATH}}, or one path)"
            )
        return one_image(section_id, images, outs)


def _name(outs: Path) -> str:
    """The sample's name as the user sees it: a link keeps its own."""
    name = name_of(outs)
    return name_of(outs.absolute().parent) if name == "outs" else name
