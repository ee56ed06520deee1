"""Every published encoder of conf/encoder: its true architecture without weights, its page, and
what its config says of it.
"""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import CHECKOUT, compose_config
from omegaconf import OmegaConf

from hespotex.common.errors import InputError
from hespotex.encoders.hub_encoder import HubEncoder
from hespotex.records.build import build

FOLDER = CHECKOUT / "conf" / "encoder"
HUB = sorted(path.stem for path in FOLDER.glob("*.yaml") if "hub_id" in path.read_text())
PACKAGED = sorted(path.stem for path in FOLDER.glob("*.yaml") if "\npackage:" in path.read_text())


@dataclass(frozen=True)
class Facts:
    """What the authors publish: numbers a patch, exact number of weights, and whether one has to
    ask for access.
    """

    width: int
    weights: int
    gated: bool = True


FACTS = {
    "quiltnet": Facts(512, 87_849_216, gated=False),
    "plip": Facts(512, 87_849_216, gated=False),
    "uni": Facts(1024, 303_350_784),
    "uni2": Facts(1536, 681_394_176),
    "virchow2": Facts(2560, 631_239_424),
    "hoptimus0": Facts(1536, 1_134_774_272),
    "hoptimus1": Facts(1536, 1_134_774_272),
    "h0_mini": Facts(768, 85_739_520),
    "gigapath": Facts(1536, 1_134_953_984),
    "hibou_l": Facts(1024, 303_659_264),
    "midnight": Facts(3072, 1_136_480_768, gated=False),
    "phikon": Facts(768, 85_798_656, gated=False),
    "phikon2": Facts(1024, 303_351_808, gated=False),
    "resnet50": Facts(1024, 23_508_032, gated=False),
    "conch": Facts(512, 0),
    "virchow": Facts(2560, 631_229_184),
    "gpfm": Facts(1024, 303_227_904, gated=False),
    "mstar": Facts(1024, 303_350_784),
    "kaiko_s": Facts(384, 21_665_664, gated=False),
    "kaiko_b": Facts(768, 85_798_656, gated=False),
    "kaiko_l": Facts(1024, 304_370_688, gated=False),
    "lunit_s8": Facts(384, 21_670_272, gated=False),
    "dinov3": Facts(1024, 303_079_424, gated=False),
    "hibou_b": Facts(768, 85_741_056),
    "gigapath_flash": Facts(384, 21_681_024),
    "prost40m": Facts(384, 21_619_584, gated=False),
    "openmidnight": Facts(1536, 1_134_774_272),
    "omiclip": Facts(768, 306_724_864),
    "conch_v1_5": Facts(768, 306_711_296),
    "keep": Facts(768, 304_728_576, gated=False),
    "ctranspath": Facts(768, 27_520_038, gated=False),
    "efficientnet_lite0": Facts(304, 3_371_008, gated=False),
    "mobilenet": Facts(1280, 2_223_872, gated=False),
}


@cache
def settings_of(name: str) -> dict[str, Any]:
    config = compose_config("train", [f"encoder={name}", "encoder.device=cpu"], Path("run"))
    settings: dict[str, Any] = OmegaConf.to_container(
        config.encoder, resolve=True, throw_on_missing=True
    )  # type: ignore[assignment]
    return settings


def test_none_is_forgotten() -> None:
    assert FACTS.keys() == {*HUB, *PACKAGED}


@pytest.mark.parametrize("name", [name for name in (*HUB, *PACKAGED) if name != "conch"])
def test_true_architecture(name: str) -> None:
    """Built and run without memory or arithmetic, on torch's "meta" device."""
    encoder = build(settings_of(name))
    with torch.device("meta"):
        network = encoder.with_pooling(encoder.empty_network()).eval()
        embedding = network(torch.zeros(2, 3, encoder.input_px, encoder.input_px))
    assert embedding.shape == (2, FACTS[name].width)
    assert sum(p.numel() for p in network.parameters()) == FACTS[name].weights


@pytest.mark.parametrize("name", HUB)
def test_hub_out_of_reach_names_page_access_and_local_file(name: str) -> None:
    """The tests run offline: the hub's own client refuses."""
    settings = settings_of(name)
    encoder = build(settings)
    assert isinstance(encoder, HubEncoder)
    with pytest.raises(InputError) as error:
        encoder.identity()
    access = "gated: ask for access there" if FACTS[name].gated else "not gated"
    for part in (
        f"huggingface.co/{settings['hub_id']} (licence {settings['licence']}; {access}",
        "encoder.weights=FILE",
    ):
        assert part in str(error.value)


@pytest.mark.parametrize("name", FACTS)
def test_the_config_says_how_wide_the_embedding_is(name: str) -> None:
    header = (FOLDER / f"{name}.yaml").read_text().splitlines()[0]
    assert re.search(rf"\b{FACTS[name].width} numbers a patch", header)


@pytest.mark.parametrize("name", FACTS)
def test_preprocessing_is_complete(name: str) -> None:
    settings = settings_of(name)
    assert settings["patch_px"] == settings["input_px"] in {224, 256, 448}
    um_per_px = 1.0 if name == "ctranspath" else 0.5  # as its authors cut their patches
    assert settings["patch_um"] == [settings["patch_px"] * um_per_px]
    assert all(0.3 < mean < 0.8 for mean in settings["mean"])
    assert all(0.1 < std <= 0.5 for std in settings["std"])
    assert len(settings["mean"]) == len(settings["std"]) == 3
