"""Encoders side by side."""

from pathlib import Path
from typing import Any

import pytest
from conftest import compose_config
from omegaconf import OmegaConf

from hespotex.common.errors import InputError
from hespotex.embeddings.encoder import parts_of
from hespotex.encoders.histology import HistologyEncoder
from hespotex.encoders.pair import SideBySide, part_settings
from hespotex.encoders.random_vit import RandomViTEncoder
from hespotex.packing.facts import _licence
from hespotex.prediction.predictor import _as_trained, _encoder
from hespotex.records.about import About
from hespotex.records.build import build

CHOICES = {
    "default": ([], ["histology", "random_vit"]),
    "another": (
        ["encoder@encoder.parts.second=uni", "encoder.parts.second.weights=here.bin"],
        ["histology", "uni"],
    ),
    "inherited": (["encoder@encoder.parts.first=hoptimus1"], ["hoptimus1", "random_vit"]),
    "one": (["encoder.parts.first=null"], ["random_vit"]),
}


def settings_of(overrides: list[str], folder: Path) -> dict[str, Any]:
    config = compose_config("train", ["encoder=pair", *overrides], folder)
    settings: dict[str, Any] = OmegaConf.to_container(
        config.encoder, resolve=True, throw_on_missing=True
    )  # type: ignore[assignment]
    return settings


@pytest.mark.parametrize(("overrides", "names"), CHOICES.values(), ids=CHOICES)
def test_the_command_line_chooses_the_parts(
    overrides: list[str], names: list[str], tmp_path: Path
) -> None:
    encoder = build(settings_of(overrides, tmp_path))
    assert [part.name for part in encoder.parts] == names


def test_parts_keep_their_own_patches_and_identities() -> None:
    histology = HistologyEncoder("histology", [150.0, 350.0])
    vit = RandomViTEncoder(name="vit", patch_um=[112.0], patch_px=64)
    encoder = SideBySide("pair", {"first": histology, "second": vit})
    assert encoder.parts == [histology, vit]
    assert encoder.identity()["parts"] == {"first": histology.identity(), "second": vit.identity()}
    assert encoder.identity() != SideBySide("pair", {"first": vit, "second": histology}).identity()
    with pytest.raises(InputError, match=r"encoder.parts is empty"):
        SideBySide("pair", {"first": None})


def test_a_checkpoint_brings_its_pair_back(tmp_path: Path) -> None:
    settings = settings_of([], tmp_path)
    about: About = {"config": {"encoder": settings}, "encoder_identity": build(settings).identity()}
    assert _encoder(about, None).identity() == about["encoder_identity"]


def test_precision_of_training_on_any_device_and_weights_by_part(tmp_path: Path) -> None:
    """Trained in bf16 on a GPU, by `precision: auto`; here there is none."""
    settings = settings_of(["encoder@encoder.parts.second=uni"], tmp_path)
    identity = {"parts": {"first": {"name": "histology"}, "second": {"precision": "bf16"}}}
    parts = _as_trained(settings, identity, {"second": "here.bin"})["parts"]
    assert parts["first"] == settings["parts"]["first"]
    assert (parts["second"]["precision"], parts["second"]["weights"]) == ("bf16", "here.bin")
    assert settings["parts"]["second"]["weights"] is None


SETTINGS: dict[str, Any] = {
    "name": "pair",
    "parts": {"first": None, "second": {"name": "uni", "licence": "A", "patch_um": [112]}},
}


@pytest.mark.parametrize(
    ("settings", "names", "sides"),
    [
        (SETTINGS, ["second"], [112]),
        (SETTINGS | {"patch_um": [56]}, ["second"], [56]),
        (SETTINGS["parts"]["second"], [""], [112]),
    ],
)
def test_settings_of_each_part(
    settings: dict[str, Any], names: list[str], sides: list[int]
) -> None:
    """A part that was left out has none."""
    found = part_settings(settings)
    assert list(found) == names
    assert found[names[0]]["patch_um"] == sides


@pytest.mark.parametrize(
    ("settings", "licence"),
    [
        (SETTINGS, "A"),
        (SETTINGS | {"parts": {"a": {"licence": "A"}, "b": {}, "c": {"licence": "C"}}}, "A; C"),
        ({}, None),
    ],
)
def test_licences_of_all_parts(settings: dict[str, Any], licence: str | None) -> None:
    assert _licence(settings) == licence


def test_sides_for_all_parts(tmp_path: Path) -> None:
    """As HEST-Benchmark's mode sets them."""
    encoder = build(settings_of(["encoder.patch_um=[112,448]"], tmp_path))
    assert [part.patch_um for part in parts_of(encoder)] == [[112, 448], [112, 448]]
    config = compose_config("hest_benchmark", ["encoder=pair"], tmp_path).encoder
    bench = build(OmegaConf.to_container(config, resolve=True))
    assert [part.patch_um for part in parts_of(bench)] == [[112], [112]]
    assert [part.patch_um for part in parts_of(build(settings_of([], tmp_path)))] == [
        [150, 350],
        [112],
    ]


def test_an_encoder_alone_is_its_own_part() -> None:
    encoder = RandomViTEncoder(name="vit", patch_um=[112.0], patch_px=64)
    assert parts_of(encoder) == [encoder]


def test_weights_that_fit_nothing(tmp_path: Path) -> None:
    settings = settings_of([], tmp_path)
    identity = build(settings).identity()
    for wrong in ("here.bin", {"third": "here.bin"}):
        with pytest.raises(
            InputError, match=r"expected weights by part, such as weights=\{first:FILE\}, got"
        ):
            _as_trained(settings, identity, wrong)
    with pytest.raises(
        InputError, match="encoder histology has no weights file; leave weights out"
    ):
        _as_trained(settings, identity, {"first": "here.bin"})
