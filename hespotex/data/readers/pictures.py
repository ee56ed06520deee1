"""Which image belongs to which section."""

from pathlib import Path

from hespotex.data.images.region import OPENSLIDE, PLAIN, TIFF
from hespotex.data.readers.common import existing_folder
from hespotex.errors import InputError

SUFFIXES = OPENSLIDE | TIFF | PLAIN
KEY = "data.reader.images"
Images = dict[str, str] | str | None  # {section_id: path}, a folder of ID.tif, one file for one section, or unknown


def configured_image(section_id: str, images: Images, n_sections: int) -> Path | None:
    """The image that `data.reader.images` names for a section; None where it is not set."""
    if not images:
        return None
    if isinstance(images, dict):
        if section_id not in images:
            raise InputError(f"{KEY} names no image of {section_id}; it holds {sorted(images)}")
        return _existing(section_id, Path(images[section_id]))
    path = Path(images)
    if path.is_dir():
        return one_image(section_id, images_of(existing_folder(path, KEY), section_id), path)
    if n_sections > 1:
        raise InputError(f"{KEY}={path} is one file, but there are {n_sections} sections; give a folder, or {{ID: PATH,...}}")
    return _existing(section_id, path)


def images_in(folder: Path) -> list[Path]:
    """All images of a folder."""
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and p.is_file())


def images_of(folder: Path, section_id: str) -> list[Path]:
    """Images named `{section_id}.tif`, `{section_id}.ome.tif` or `{section_id}_image.tif`, of any known format."""
    return [p for p in images_in(folder) if p.name.startswith((f"{section_id}.", f"{section_id}_image."))]


def one_image(section_id: str, found: list[Path], folder: Path) -> Path:
    """The one image that was found.

    Raises:
        InputError: none, or several.
    """
    if len(found) == 1:
        return found[0]
    if found:
        raise InputError(f"{section_id}: several images in {folder}: {[p.name for p in found]}; choose with {KEY}={{ID: PATH}}")
    raise InputError(
        f"{section_id}: no image in {folder}: expected {section_id}.tif or another of {', '.join(sorted(SUFFIXES))}; set {KEY}"
    )


def _existing(section_id: str, path: Path) -> Path:
    if not path.is_file():
        raise InputError(f"{section_id}: image not found: {path}; set {KEY}")
    return path
