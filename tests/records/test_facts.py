"""Facts of a checkpoint with other types, keys that lack and numbers that are none: refused in
words, never a crash.
"""

import copy
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import compose_config
from omegaconf import OmegaConf

from hespotex.common.errors import InputError
from hespotex.prediction.predictor import Predictor
from hespotex.records.facts import check_facts

STRANGE = [
    None,
    "x",
    "",
    -1,
    0,
    3.5,
    float("nan"),
    1e308,
    True,
    [],
    {},
    [1],
    ["x"],
    {"x": 1},
    "DELETED",
    10**12,
]
ROUNDS = int(os.environ.get("HESPOTEX_FUZZ", "60"))  # more in a nightly run


@pytest.fixture
def content(ridge_run: Path) -> dict[str, Any]:
    found: dict[str, Any] = torch.load(ridge_run / "checkpoints" / "best.ckpt", weights_only=True)
    return found


def paths(value: Any, deep: int = 5) -> Iterator[tuple[Any, ...]]:
    """Every place in mappings, and the first in lists."""
    parts = (
        value.items()
        if isinstance(value, dict)
        else list(enumerate(value))[:2]
        if isinstance(value, list)
        else ()
    )
    for key, part in parts:
        yield (key,)
        if deep:
            yield from ((key, *rest) for rest in paths(part, deep - 1))


def put(value: Any, path: tuple[Any, ...], new: Any) -> None:
    for key in path[:-1]:
        value = value[key]
    if new == "DELETED" and isinstance(new, str):
        del value[path[-1]]
    else:
        value[path[-1]] = new


def test_any_fact(content: dict[str, Any], store: Path, tmp_path: Path) -> None:
    words = [
        f"checkpoint={tmp_path}/x.ckpt",
        "slides=none",
        f"output={tmp_path}",
        f"paths.store={store}",
    ]
    config: Any = OmegaConf.to_container(compose_config("predict", words, tmp_path), resolve=True)
    about = content["hespotex"]
    draw = random.Random(0)
    places = list(paths(about))
    refused = 0
    for _ in range(ROUNDS):
        place = draw.choice(places)
        new = draw.choice(STRANGE)
        changed = copy.deepcopy(about)
        put(changed, place, new)
        torch.save(content | {"hespotex": changed}, tmp_path / "x.ckpt")
        try:
            Predictor(config)
        except InputError:
            refused += 1
        except Exception as error:
            raise AssertionError(f"{place} = {new!r}") from error
    assert refused > ROUNDS // 20


@pytest.mark.parametrize(
    ("place", "new"),
    [
        (("genes",), "ERBB2"),
        (("genes", 0), 3),
        (("genes",), []),
        (("sizes", "n_genes"), 7),
        (("sizes", "d_image"), 10**12),
        (("sizes",), "DELETED"),
        (("pitch_um",), float("nan")),
        (("pitch_um",), -100.0),
        (("spot_diameter_um",), "55"),
        (("leaks",), "none"),
        (("split", "train"), None),
        (("image_inputs", "standardize"), "both"),
        (("panel_fitted_on",), {"a": 1}),
        (("grid",), "triangular"),
        (("familiarity",), {"mean": [1.0], "std": []}),
        (("training_scale", "strength"), -1.0),
        (("training_scale",), {"mean": [1.0], "std": [], "strength": 4.0}),
        (("section_facts",), ["a"]),
    ],
    ids=str,
)
def test_the_fact_is_named(content: dict[str, Any], place: tuple[Any, ...], new: Any) -> None:
    check_facts(Path("a.ckpt"), content["hespotex"], content["state_dict"])
    put(content["hespotex"], place, new)
    with pytest.raises(
        InputError, match=rf"a\.ckpt: .*{place[0].removesuffix('s')}.*train it again"
    ):
        check_facts(Path("a.ckpt"), content["hespotex"], content["state_dict"])


@pytest.mark.parametrize("state", [None, [], {"a": 1}, {"a": [1.0]}, "weights"])
def test_weights_that_are_none(content: dict[str, Any], state: Any) -> None:
    with pytest.raises(InputError, match="state_dict: expected tensors by name"):
        check_facts(Path("a.ckpt"), content["hespotex"], state)
