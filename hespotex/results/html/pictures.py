"""Figures and maps as data that stand inside the page."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import matplotlib
import numpy as np
from matplotlib.figure import Figure

from hespotex.common.files import safe_name

WHITE = 250  # and above, of 255: margin, which is cut away
# width of a map in the page, and of its WebP
MAP_PX = 1200
QUALITY = 82
LABELS = {
    "best": "best gene by the PCC reached on this very section, an oracle's choice",
    "median": "median gene of this section by PCC",
    "named": "a marker that was asked for",
}


@dataclass(frozen=True)
class Picture:
    """`uri` holds the image itself; `text` says what it shows; `file`: where it was taken from."""

    uri: str
    text: str
    file: Path | None = None


def svg(figure: Figure) -> str:
    """A figure as SVG whose letters stay letters, the same bytes each time."""
    buffer = BytesIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "hespotex"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return _uri("svg+xml", buffer.getvalue())


def maps(folder: Path, section_id: str, labels: Sequence[str] = tuple(LABELS)) -> list[Picture]:
    """The maps that a run has drawn of a section."""
    return [
        Picture(
            shrunk(path),
            f"{section_id}, {path.stem.partition(f'_{label}_')[2]}: {LABELS[label]}",
            path,
        )
        for label in labels
        for path in map_files(folder, section_id, label)
    ]


def map_files(folder: Path, section_id: str, label: str) -> list[Path]:
    """`SECTION_LABEL_GENE.png`"""
    starts = tuple(f"{safe_name(section_id, always)}_{label}_" for always in (False, True))
    return sorted(path for path in (folder / "maps").glob("*.png") if path.stem.startswith(starts))


def shrunk(path: Path) -> str:
    """A picture less its white margin, at most as wide as a map, as data that the page holds."""
    picture: Any = cv2.imread(str(path))
    inked = (picture < WHITE).any(axis=2)
    rows = np.flatnonzero(inked.any(axis=1))
    columns = np.flatnonzero(inked.any(axis=0))
    picture = picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    height, width = picture.shape[:2]
    scale = min(1.0, MAP_PX / width)
    small = cv2.resize(
        picture, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA
    )
    return _uri(
        "webp", cv2.imencode(".webp", small, [cv2.IMWRITE_WEBP_QUALITY, QUALITY])[1].tobytes()
    )


def _uri(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{b64encode(data).decode()}"
