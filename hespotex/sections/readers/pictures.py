"""Which image belongs to which section."""

from collections.abc import Collection, Mapping
from pathlib import Path

from hespotex.common.errors import InputError
from hespotex.sections.ids import files_in, typed_keys
from hespotex.sections.images.region import OPENSLIDE, PLAIN, TIFF
from hespotex.sections.readers.common import existing_folder

SUFFIXES = OPENSLIDE | TIFF | PLAIN
KEY = "data.reader.images"
# {section_id: path}, a folder of ID.tif, one file for one section, or unknown
Images = dict[str, str] | str | None


def configured_image(section_id: str, images: Images, section_ids: Collection[str]) -> Path | None:
    """The image that `data.reader.images` names for a section; None where it is not set."""
    if not images:
        return None
    if isinstance(images, Mapping):
        paths = typed_keys(images, [section_id])
        if section_id not in paths:
            raise InputError(f"{KEY} names no image of {section_id}; it holds {sorted(paths)}")
        return _existing(section_id, Path(str(paths[section_id])))
    path = Path(str(images))
    if path.is_dir():
        files = images_of(existing_folder(path, KEY), section_id, section_ids)
        return one_image(section_id, files, path)
    if (n_sections := len(section_ids)) > 1:
        raise InputError(
            f"{KEY}={path} is one file, but there are {n_sections} sections; give a folder, or"
            " {ID: PATH,...}"
        )
    return _existing(section_id, path)


def images_in(folder: Path) -> list[Path]:
    """All images of a folder, less hidden ones."""
    files = (p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and p.is_file())
    return sorted(path for path in files if not path.name.startswith("."))


def images_of(folder: Path, section_id: str, others: Collection[str] = ()) -> list[Path]:
    """Images named `{section_id}.tif`, `{section_id}.ome.tif` or `{section_id}_image.tif`, of any
    known format.

    Where there is none, those whose name goes on after a dot, as `{section_id}.UUID.svs`, unless
    it is the name of one of the `others`: `P1.rep2.tif` is the image of P1.rep2, not of P1.
    """
    exact = [p for p in images_in(folder) if _bare(p) in (section_id, f"{section_id}_image")]
    longer = [name for name in others if name != section_id and name.startswith(section_id)]
    exact = [p for p in exact if _bare(p) == section_id or _bare(p) not in longer]
    bare = [p for p in exact if _bare(p) == section_id]
    if exact:
        return exact if len(bare) != 1 or not longer else bare
    going_on = [p for p in images_in(folder) if p.name.startswith(f"{section_id}.")]
    return [p for p in going_on if not _of_another(p, longer)]


def image_beside(section_id: str, h5ad: Path) -> Path:
    """The one image of an h5ad's name in its folder."""
    others = [path.stem for path in files_in(h5ad.parent, ".h5ad")]
    return one_image(section_id, images_of(h5ad.parent, h5ad.stem, others), h5ad.parent)


def _bare(image: Path) -> str:
    """The name without its ending: `A` of A.tif and of A.ome.tif."""
    return image.name[: -len(image.suffix)].removesuffix(".ome")


def _of_another(image: Path, names: Collection[str]) -> bool:
    starts = (f"{name}{end}" for name in names for end in (".", "_image."))
    return image.name.startswith(tuple(starts))


def one_image(section_id: str, images: list[Path], folder: Path) -> Path:
    """The one image that was found.

    Raises:
        InputError: none, or several.
    """
    if len(images) == 1:
        return images[0]
    if images:
        raise InputError(
            f"{section_id}: several images in {folder}: {[p.name for p in images]}; choose with"
            f" {KEY}={{ID: PATH}}"
        )
    raise InputError(
        f"{section_id}: no image in {folder}: expected {section_id}.tif or another of"
        f" {', '.join(sorted(SUFFIXES))}; set {KEY}"
    )


def _existing(section_id: str, path: Path) -> Path:
    if not path.is_file():
        raise InputError(f"{section_id}: image not found: {path}; set {KEY}")
    return path
