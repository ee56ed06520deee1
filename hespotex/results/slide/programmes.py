"""The chapter "What the model saw" of one slide: its programmes, their words, and patches."""

from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import anndata as ad
import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hespotex.results.slide.table import Feature
from hespotex.sections.patch_reader import patch_reader
from hespotex.sections.patches import PatchSpec
from hespotex.sections.section import Section

KEY = "programmes"  # of obsm and uns; column of var: `BECAUSE`
BECAUSE = "predicted_because_of"
UNIT = "standard deviations over this slide"
SHOWN = 4  # patches at each end
PATCH_PX = 96
QUALITY = 80
ENDS = {"highest": -1, "lowest": 1}


@dataclass(frozen=True)
class SlideProgrammes:
    """Programmes of a slide's predictions.

    Attributes:
        explained: whose they are, or why there are none, in words.
        titles: of each, (k).
        sentences: of each, (k) lists.
        scores: (n_spots, k), in standard deviations over the slide.
        because: why a gene is predicted as it is, by gene.
        patch_um: side of the patches that show them.
    """

    explained: str
    titles: list[str]
    sentences: list[list[str]]
    scores: NDArray[np.float32]
    because: Mapping[str, str]
    patch_um: float

    @classmethod
    def none(cls, reason: str) -> "SlideProgrammes":
        """A slide without any."""
        return cls(reason, [], [], np.empty((0, 0), np.float32), {}, 0.0)


def add_programmes(table: ad.AnnData, seen: SlideProgrammes) -> None:
    """Into the slide's table: `obsm["programmes"]`, `uns["programmes"]` and
    `var["predicted_because_of"]`.
    """
    table.uns[KEY] = {"explained": seen.explained, "patch_um": seen.patch_um}
    if not seen.titles:
        return
    table.obsm[KEY] = seen.scores
    table.uns[KEY] |= {
        "titles": list(seen.titles),
        "sentences": ["\n".join(lines) for lines in seen.sentences],
    }
    reasons = [seen.because.get(str(gene), "") for gene in table.var_names]
    table.var[BECAUSE] = pd.Categorical(reasons)


def programme_features(table: ad.AnnData) -> Iterator[Feature]:
    """The score of each programme."""
    if KEY in table.obsm:
        for i, scores in enumerate(np.asarray(table.obsm[KEY]).T, 1):
            yield Feature(f"programme {i}", "programme", UNIT, scores.astype(np.float32))


def reason_of(table: ad.AnnData, gene: str) -> str:
    """Why a gene is predicted as it is; empty where that is not known."""
    if BECAUSE not in table.var:
        return ""
    words = str(table.var.loc[gene, BECAUSE])
    return f"Predicted because of {words}." if words else ""


def chapter(table: ad.AnnData, section: Section) -> dict[str, Any] | None:
    """What the page shows; None of a table that was never asked for it."""
    if KEY not in table.uns:
        return None
    facts: Mapping[str, Any] = table.uns[KEY]
    found = [
        {
            "name": feature.name,
            "title": title,
            "sentences": str(lines).split("\n"),
            "patches": _patches(section, feature.values, float(facts["patch_um"])),
        }
        for feature, title, lines in zip(
            programme_features(table),
            facts.get("titles", []),
            facts.get("sentences", []),
            strict=True,
        )
    ]
    return {"explained": str(facts["explained"]), "programmes": found, "um": facts["patch_um"]}


def _patches(section: Section, scores: NDArray[np.float32], um: float) -> dict[str, list[str]]:
    """Pictures of the spots at both ends, the clearest first."""
    read = patch_reader(section, PatchSpec(um, PATCH_PX))
    return {
        name: [_picture(patch) for patch in read(np.argsort(sign * scores)[:SHOWN])]
        for name, sign in ENDS.items()
    }


def _picture(patch: Any) -> str:
    pixels = np.asarray(patch, dtype=np.uint8)[..., ::-1]
    jpeg = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1]
    return "data:image/jpeg;base64," + b64encode(jpeg.tobytes()).decode()
