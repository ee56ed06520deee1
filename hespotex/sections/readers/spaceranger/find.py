"""Where 10x software has put a file."""

from pathlib import Path

from hespotex.common.errors import InputError


def find_file(outs: Path, *names: str) -> Path | None:
    """The file or folder of the first of these names in `outs/spatial/` or `outs/`; with or without
    `<sample>_` and .gz.
    """
    entries = [
        p
        for folder in (outs / "spatial", outs)
        if folder.is_dir()
        for p in sorted(folder.iterdir())
    ]
    for name in names:
        matches = [
            p
            for p in entries
            if (plain := p.name.removesuffix(".gz")) == name or plain.endswith(f"_{name}")
        ]
        if len(matches) > 1:
            raise InputError(
                f"several files could be {name} in {outs}: {[p.name for p in matches]}; give each"
                " sample its folder"
            )
        if matches:
            return matches[0]
    return None


def need_file(outs: Path, *names: str) -> Path:
    """As `find_file`, but it must be there."""
    path = find_file(outs, *names)
    if path is None:
        here = sorted(p.name for p in outs.iterdir())[:20] if outs.is_dir() else "no such folder"
        raise InputError(
            f"no {' or '.join(names)} in {outs} or its spatial/; found {here}. Is data.reader.root"
            " right?"
        )
    return path


def files_of(path: Path) -> list[Path]:
    """The file itself; of a folder those in it."""
    return sorted(p for p in path.iterdir() if p.is_file()) if path.is_dir() else [path]
