"""A stand-in for the network of Cellpose."""

import inspect
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from cellpose import models
from numpy.typing import NDArray

SettingsOf = dict[str, Any]


@dataclass
class Asked:
    """What the stand-in was built with, and the pixels and settings of each call."""

    built: list[SettingsOf] = field(default_factory=list)
    calls: list[tuple[NDArray[np.float32], SettingsOf]] = field(default_factory=list)


def replace_cellpose(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """A CellposeModel that takes every dark component for a nucleus; settings that the real one
    lacks are refused.
    """
    asked = Asked()
    init = inspect.signature(models.CellposeModel)
    evaluate = inspect.signature(models.CellposeModel.eval)

    class StandIn:
        def __init__(self, **settings: Any) -> None:
            init.bind(**settings)
            if b"broken" in Path(settings["pretrained_model"]).read_bytes():
                raise RuntimeError("not a checkpoint")
            asked.built.append(settings)

        def eval(
            self, pixels: NDArray[np.float32], **settings: Any
        ) -> tuple[NDArray[np.int32], None, None]:
            evaluate.bind(self, pixels, **settings)
            asked.calls.append((pixels, settings))
            return cv2.connectedComponents((pixels[..., 0] < 0.5).astype(np.uint8))[1], None, None

    monkeypatch.setattr(models, "CellposeModel", StandIn)
    return asked
