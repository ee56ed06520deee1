"""One task of the HEST-Benchmark bundle: `adata/`, `patches/`, `splits/` (Jaume et al. 2024)."""

from collections.abc import Callable
from pathlib import Path

from hespotex.common.errors import InputError, cause
from hespotex.common.hdf5 import open_hdf5
from hespotex.sections.ids import h5ads_in
from hespotex.sections.names.genes import Genes
from hespotex.sections.readers.checks.frame import as_number
from hespotex.sections.readers.common import chosen, existing_folder
from hespotex.sections.readers.groups import Groups, read_groups
from hespotex.sections.readers.measured import How, read_measured
from hespotex.sections.readers.obs import read_genes
from hespotex.sections.readers.stored import with_patches
from hespotex.sections.scale import choose_mpp, pitch_px
from hespotex.sections.section import Section, SectionKey, make_adata, place_on_array

PATCH_MPP = 0.5  # um per px of the stored patches
# attribute: um per px from it and the side of a patch
PATCH_FACTS: dict[str, Callable[[float, int], float]] = {
    "downsample": lambda value, _: PATCH_MPP / value,
    "factor": lambda value, _: PATCH_MPP / value,
    "patch_size_src": lambda value, side: PATCH_MPP * side / value,
    "patch_size": lambda value, side: PATCH_MPP * side / value,
    "pixel_size": lambda value, _: value,
}


class HestBenchmarkReader:
    """Sections `{id}` of a task, with the bundle's own patches as their pixels.

    Args:
        root: the task's folder, such as IDC.
        mpp: um per px of the full-resolution image; by default from the attributes of the patches
          file.
        groups: patients, see `read_groups`; the bundle does not name them, its splits respect them.
        sections: ids to use; by default all.
        pitch_um: 100 um, of Visium and of HEST's pseudo-spots of Xenium.
        spot_diameter_um: 55 um.
        in_tissue: see `H5adReader`; the benchmark scores every spot that has a patch.
        check_frame: see `H5adReader`.
    """

    def __init__(
        self,
        root: str,
        mpp: float | None = None,
        groups: Groups = None,
        sections: list[str] | None = None,
        pitch_um: float = 100.0,
        spot_diameter_um: float = 55.0,
        in_tissue: str | None = None,
        check_frame: bool = True,
    ) -> None:
        self.how = How(in_tissue=in_tissue, check_frame=check_frame)
        self.root = Path(root)
        self.mpp = mpp
        self.pitch_um = pitch_um
        self.spot_diameter_um = spot_diameter_um
        folder = existing_folder(
            existing_folder(self.root, "data.reader.root") / "adata", "data.reader.root"
        )
        self._files = chosen(h5ads_in(folder), sections, folder)
        if not self._files:
            raise InputError(
                f"no h5ad file in {folder}: is data.reader.root one task of the bundle, such as"
                " IDC?"
            )
        self._groups = read_groups(groups, list(self._files))

    def section_keys(self) -> list[SectionKey]:
        """A section for each file of `adata/`; each is its own group unless `groups` names
        patients.
        """
        return [SectionKey(name, self._groups[name]) for name in self._files]

    def genes(self, section_id: str) -> Genes:
        """What is known of its genes without the counts."""
        return read_genes(self._files[section_id])

    def read(self, section_id: str) -> Section:
        """Counts from `adata/{id}.h5ad`, for the spots that have a patch in `patches/{id}.h5`.

        Raises:
            InputError: no patches file, no raw counts, or nothing that tells the pixel size.
        """
        spots = read_measured(section_id, self._files[section_id], self.how)
        pos = spots.pos
        patches = self.root / "patches" / f"{section_id}.h5"
        choices = [
            (self.mpp, "data.reader.mpp"),
            (patches_mpp(patches), f"attributes of {patches}"),
        ]
        mpp, source = choose_mpp(section_id, choices, pitch_px(pos), self.pitch_um)
        table = make_adata(spots.counts, spots.barcodes, spots.genes, pos, section_id)
        place_on_array(table, spots.obs)
        key = SectionKey(section_id, self._groups[section_id])
        return with_patches(
            Section(key, table, mpp, source, self.pitch_um, self.spot_diameter_um), patches
        )


def patches_mpp(path: Path) -> float | None:
    """um per full-resolution px, as the attributes of a patches file tell; None if they do not.

    HEST-1k writes `downsample` and `patch_size_src`, the bundle `factor` and `patch_size`, for the
    same two numbers: full-resolution px per patch px, and the side of a patch in full-resolution
    px. They stand at the file or at `img`.
    """
    if not path.is_file():
        raise InputError(
            f"patches not found: {path}; is data.reader.root one whole task of the bundle?"
        )
    try:
        with open_hdf5(path, in_parts=True) as file:
            attributes = dict(file.attrs) | dict(file["img"].attrs)
            side = file["img"].shape[1]
    except InputError:
        raise
    except Exception as error:  # h5py raises many kinds for a broken file
        raise InputError(
            f"{path}: cannot be read as HEST patches ({cause(error)}); is the file whole?"
        ) from error
    for name, length in PATCH_FACTS.items():
        if name in attributes:
            value = as_number(attributes[name])
            if value is None or value <= 0:
                raise InputError(
                    f"{path}: attribute {name} is {attributes[name]!r}, expected a number above 0; "
                    "set data.reader.mpp (um per px)"
                )
            return length(value, side)
    return None
