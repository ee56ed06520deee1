"""What a file's config may make us build: what belongs at its place, and packages that the user
names.
"""

import functools
import re
from collections import OrderedDict, deque, namedtuple
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import CHECKOUT, Run, compose_config
from omegaconf import OmegaConf

from hespotex.common.errors import InputError
from hespotex.encoders.histology import HistologyEncoder
from hespotex.genes.expression import LogRaw
from hespotex.prediction.predictor import Predictor
from hespotex.records.checkpoint import restored_target
from hespotex.records.kinds import KINDS
from hespotex.records.plain import plain
from hespotex.records.trusted import _kind_of, check, part, rebuild_part

MODULE = {"_target_": "hespotex.modules.ridge.RidgeModule", "_partial_": True, "alphas": [1.0]}
FINE: list[tuple[str, Any]] = [
    ("fold", {"_target_": "hespotex.splits.strategies.GroupKFold", "n_folds": 5}),
    ("model.module", MODULE | {"optimizer": {"_target_": "torch.optim.AdamW", "_partial_": True}}),
    (
        "model.module",
        MODULE | {"s": {"_target_": "torch.optim.lr_scheduler.StepLR", "_partial_": True}},
    ),
    ("encoder", {"_target_": "hespotex.encoders.histology.HistologyEncoder", "patch_um": (112.0,)}),
]
STRANGE = [
    "os.system",
    "posix.system",
    "subprocess.Popen",
    "builtins.eval",
    "builtins.exec",
    "builtins.open",
    "importlib.import_module",
    "sympy.sympify",
    "pandas.read_pickle",
    "pickle.loads",
    "functools.partial",
    "hydra.utils.get_method",
    "hydra.utils.get_class",
    "hydra.utils.call",
    "hydra.utils.instantiate",
    "torch.load",
    "torch.hub.load",
    "torch.nn.Linear",
    "torch.optim.adam.torch.hub.load",
    "torch.optim.swa_utils.AveragedModel",
    "torch.optim.lr_scheduler.partial",
    "torch.optimal.Adam",
    "numpy.load",
    "shutil.rmtree",
    "hespotexes.evil.Class",
    "hespotex.cli.entry.os.system",
    "hespotex.common.files.os.system",
    "hespotex.common.files.shutil.rmtree",
    "hespotex.common.files.Path",
    "hespotex.common.provenance._git",
    "hespotex.records.build.build",
    "hespotex.records.build.instantiate",
    "hespotex.records.trusted.rebuild",
    "hespotex.records.trusted.importlib.import_module",
    "hespotex.demo.make_demo",
    "hespotex.demo.build.make_demo",
    "hespotex.sections.readers.demo.DemoReader",
    "hespotex.sections.readers.demo.make_demo",
    "hespotex.embeddings.store.EmbeddingStore",
    "hespotex.embeddings.blocks.Blocks",
    "hespotex.training.run.train",
    "hespotex.callbacks.provenance.Provenance",
    "pytorch_lightning.loggers.CSVLogger",
    "os",
    "",
    "...",
    ["os.system"],
    {"_target_": "os.system"},
    7,
    None,
]
Pair = namedtuple("Pair", "first second")
WRAPPED: dict[str, Any] = {
    "list": lambda bad: [[bad]],
    "tuple": lambda bad: (1, (bad,)),
    "named tuple": lambda bad: Pair(1, bad),
    "deque": lambda bad: deque([bad]),
    "ordered": lambda bad: OrderedDict(a=bad),
    "OmegaConf": lambda bad: OmegaConf.create({"a": [bad]}),
    "arguments": lambda bad: {"_target_": "torch.optim.Adam", "_partial_": True, "_args_": (bad,)},
    "own class": lambda bad: {"_target_": "torch.optim.Adam", "_partial_": True, "lr": {"a": bad}},
    "key": lambda bad: {"a": {"b": {"c": (bad,)}}},
}


@pytest.mark.parametrize(("place", "settings"), FINE)
def test_accepted(place: str, settings: Any) -> None:
    check(plain(settings), place)


@pytest.mark.parametrize("place", KINDS)
def test_refused_at_every_place(place: str) -> None:
    # makes nothing: see below
    belongs = ["hespotex.sections.readers.demo.DemoReader"] if place == "data.reader" else []
    for target in (target for target in STRANGE if target not in belongs):
        for settings in ({"_target_": target}, {"_target_": target, "_partial_": True}):
            with pytest.raises(InputError, match=r": not loaded|cannot be imported here"):
                rebuild_part(settings, place)


@pytest.mark.parametrize("wrap", WRAPPED.values(), ids=WRAPPED)
def test_refused_inside_every_container(wrap: Any, tmp_path: Path) -> None:
    for target in STRANGE:
        bad = {"_target_": target, "_args_": [f"touch {tmp_path}/marker"]}
        with pytest.raises(InputError, match=r": not loaded|cannot be imported here"):
            rebuild_part(MODULE | {"deep": wrap(bad)}, "model.module", d_image=2, n_genes=2)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "value", ["${oc.env:HOME}", "a ${x} b", "${oc.create:{_target_: os.system}}", "\\${x}"]
)
@pytest.mark.parametrize(
    "wrap", [lambda value: value, lambda value: (value,), lambda value: {"a": [value]}]
)
def test_nothing_is_worked_out(value: str, wrap: Any) -> None:
    with pytest.raises(InputError, match="which is no plain value"):
        rebuild_part(MODULE | {"name": wrap(value)}, "model.module", d_image=2, n_genes=2)


@pytest.mark.parametrize("place", ["model.module", "model.teacher.module", "encoder", "fold"])
def test_a_class_of_another_kind_is_refused(place: str) -> None:
    kinds = {
        "model.module": "hespotex.modules.closed_form.GeneMeanModule",
        "model.teacher.module": "hespotex.modules.teacher.ExpressionAutoencoderModule",
        "encoder": "hespotex.encoders.random_vit.RandomViTEncoder",
        "fold": "hespotex.splits.strategies.GroupKFold",
        "reader": "hespotex.sections.readers.her2st.Her2stReader",
        "optimiser": "torch.optim.Adam",
    }
    for other, target in kinds.items():
        if other != place:
            with pytest.raises(InputError, match=r"that belongs there: not loaded"):
                check({"_target_": target}, place)


@pytest.mark.parametrize(
    "strange", [Path("x"), b"x", torch.zeros(2), len, object(), functools.partial(len)]
)
def test_only_plain_values(strange: Any) -> None:
    with pytest.raises(InputError, match="no plain value: not loaded"):
        plain({"a": [strange]})


def test_a_config_without_end() -> None:
    circle: list[Any] = []
    circle.append(circle)
    with pytest.raises(InputError, match="deeper or larger than any of ours"):
        plain(circle)
    many: Any = [0] * 10
    for _ in range(12):
        many = [many] * 10
    with pytest.raises(InputError, match="deeper or larger than any of ours"):
        plain(many)


def test_what_is_no_settings_of_a_class() -> None:
    for strange in ([1], "os.system", {"name": "x"}, {"a": {"_target_": "os.system"}}, 3):
        with pytest.raises(InputError, match="expected the settings of a class"):
            rebuild_part(strange, "encoder")
    with pytest.raises(InputError, match=r"has no data\.batching"):
        part({"data": {}}, "data.batching")


def test_wrong_settings_end_in_words() -> None:
    with pytest.raises(InputError, match=r"fold: .*GroupKFold cannot be made .*TypeError"):
        rebuild_part({"_target_": "hespotex.splits.strategies.GroupKFold", "strange": 1}, "fold")


def test_builds_as_the_config_does() -> None:
    assert isinstance(
        rebuild_part({"_target_": "hespotex.genes.expression.LogRaw"}, "data.expression"), LogRaw
    )
    settings = {
        "_target_": "hespotex.encoders.histology.HistologyEncoder",
        "name": "a",
        "patch_um": (56, 112),
    }
    encoder = rebuild_part(settings, "encoder")
    assert isinstance(encoder, HistologyEncoder) and encoder.patch_um == [56, 112]
    assert rebuild_part(None, "encoder") is None


HUB = {
    "name": "a",
    "patch_um": [112.0],
    "patch_px": 224,
    "hub_id": "a/b",
    "licence": "x",
    "gated": False,
    "hub_files": ["a"],
}
WITH_FILES: list[dict[str, Any]] = [
    {"architecture": "hf-hub:evil/repo"},
    {"architecture": "local-dir:/evil"},
    {"architecture": "../evil"},
    {"architecture": "vit_tiny_patch16_224", "model_kwargs": {"checkpoint_path": "evil"}},
    {"architecture": "vit_tiny_patch16_224", "model_kwargs": {"pretrained_cfg": {"file": "evil"}}},
    {"architecture": "vit", "model_kwargs": {"attn_implementation": "evil/kernel"}},
    {"architecture": "vit", "model_kwargs": {"auto_map": {"AutoModel": "evil--x.y"}}},
    {"architecture": "vit", "model_kwargs": {"hidden_act": "evil/kernel"}},
    {"architecture": "vit", "model_kwargs": {"_name_or_path": "evil"}},
]


@pytest.mark.parametrize("settings", WITH_FILES)
@pytest.mark.parametrize(
    "encoder", ["timm_encoder.TimmEncoder", "transformers_encoder.TransformersEncoder"]
)
def test_an_architecture_names_no_file(settings: dict[str, Any], encoder: str) -> None:
    target = {"_target_": f"hespotex.encoders.{encoder}"}
    with pytest.raises(InputError, match=r"no place|no setting of an architecture"):
        rebuild_part({"model_kwargs": {}} | target | HUB | settings, "encoder")


def test_packages_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = {"_target_": "collections.Counter"}
    with pytest.raises(InputError, match="HESPOTEX_TRUST=collections before the command"):
        check(theirs, "encoder")
    for words in ("theirlab,collections", "theirlab, collections", " collections , theirlab,, "):
        monkeypatch.setenv("HESPOTEX_TRUST", words)
        check(theirs, "encoder")
        with pytest.raises(InputError, match=r"'os.system'.* not part"):
            check({"_target_": "os.system"}, "encoder")
        with pytest.raises(
            InputError, match=r"'collections.namedtuple' is no class of collections"
        ):
            check({"_target_": "collections.namedtuple"}, "encoder")
        with pytest.raises(
            InputError, match=r"'theirlab.encoder.MeanColour'.*its folder is not on PYTHONPATH"
        ):
            check({"_target_": "theirlab.encoder.MeanColour"}, "encoder")
    # ours are let in by their kind, whatever is said
    monkeypatch.setenv("HESPOTEX_TRUST", "hespotex")
    with pytest.raises(InputError, match="belongs there: not loaded"):
        check({"_target_": "hespotex.sections.readers.demo.DemoReader"}, "encoder")


def test_a_reader_of_a_file_makes_nothing(small_demo: Path, tmp_path: Path) -> None:
    settings = {
        "_target_": "hespotex.sections.readers.demo.DemoReader",
        "root": str(small_demo),
        "generate": True,
    }
    assert rebuild_part(settings, "data.reader").section_keys()
    for root in (tmp_path, tmp_path / "new"):
        with pytest.raises(InputError):
            rebuild_part(settings | {"root": str(root)}, "data.reader").section_keys()
    assert not list(tmp_path.iterdir())


GROUPS = {
    "model": "model.module",
    "encoder": "encoder",
    "nuclei": "nuclei.counter",
    "data": "data.reader",
    "data/panel": "data.panel",
    "data/expression": "data.expression",
    "fold": "fold",
}
ELSEWHERE = {
    "Batching": "data.batching",
    "GeneNames": "data.genes",
    "ExpressionAutoencoderModule": "model.teacher.module",
}


NEVER_BUILT = {  # of a file: the facts have the values of the first, and the second is no model
    "hespotex.batches.assemble.ImageInputs",
    "hespotex.training.replicates.ReplicateCeiling",
}


@pytest.mark.parametrize("group", GROUPS)
def test_every_option_that_ships_may_be_loaded(group: str) -> None:
    """What a checkpoint of its own could not bring along would be found after a training only."""
    found = {
        target
        for file in (CHECKOUT / "conf" / group).glob("**/*.yaml")
        for target in _targets(file)
    }
    assert found
    for target in found - NEVER_BUILT:
        place = ELSEWHERE.get(target.rpartition(".")[2], GROUPS[group])
        kinds = [
            KINDS[place],
            *KINDS[place].inside,
            *([KINDS["nuclei.counter"]] if group == "nuclei" else []),
        ]
        kinds += [KINDS[place] for place in ("data.panel", "data.expression") if group == "data"]
        assert _kind_of(target, place, tuple(kinds)) is not None


def _targets(file: Path) -> list[str]:
    return re.findall(r"_target_: ([\w.]+)", file.read_text())


def test_every_part_that_prediction_builds_of_a_checkpoint_is_checked(
    train: Run, tmp_path: Path
) -> None:
    path = train("model=ridge", "nuclei=haematoxylin") / "checkpoints" / "best.ckpt"
    words = [f"checkpoint={path}", "slides=none", f"output={tmp_path}", f"paths.store={tmp_path}"]
    config: Any = OmegaConf.to_container(compose_config("predict", words, tmp_path), resolve=True)
    Predictor(config)
    for place in (
        ("model", "module"),
        ("encoder",),
        ("nuclei", "counter"),
        ("data", "batching"),
        ("data", "expression"),
    ):
        content = torch.load(path, weights_only=True)
        where = content["hespotex"]["config"]
        for key in place:
            where = where[key]
        for hostile in ({"_target_": "os.system"}, {"extra": ({"_target_": "os.system"},)}):
            before = dict(where)
            where.update(hostile)
            torch.save(content, tmp_path / "changed.ckpt")
            with pytest.raises(
                InputError, match=r"'os.system' at .*, which is not part of HESpotEx"
            ):
                restored_target(
                    Predictor(config | {"checkpoint": str(tmp_path / "changed.ckpt")}).about
                )
            where.clear()
            where.update(before)
