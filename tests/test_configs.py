"""Every option of every config group composes, and every one that can run here trains a batch."""

from pathlib import Path

import pytest
from conftest import CHECKOUT, Run, compose_config
from nuclei.formats import (
    known_nuclei,
    write_cellvit_parquet,
    write_csv,
    write_npy,
    write_qupath,
)
from nuclei.stand_in import replace_cellpose
from omegaconf import OmegaConf

from hespotex.common.errors import InputError
from hespotex.records.build import resolved
from hespotex.sections.images import open_image
from hespotex.sections.readers.hest.folder import HestReader

CONF = CHECKOUT / "conf"
FAST = ["model.max_epochs=1"]
OPTIONS = [
    f"{group}={path.stem}"
    for group in ("model", "fold", "encoder", "logger", "data/panel", "data/expression")
    for path in sorted((CONF / group).glob("*.yaml"))
]
# no contrast, another unit, uploads
MAPPED = ("model=gene_mean", "data/expression=pearson_residuals", "logger=wandb")
PUBLISHED = [
    f"encoder={path.stem}"
    for path in (CONF / "encoder").glob("*.yaml")
    if "hub_id" in path.read_text()
]
NEEDS = dict.fromkeys(
    PUBLISHED,
    "weights: tests/encoders builds each empty, and has small stand-ins for each way of loading",
) | {
    "encoder=mobilenet": (
        "a package beside the install: tests/encoders/test_package.py has a stand-in"
    ),
    "logger=tensorboard": "an extra: tests/training/test_loggers.py trains with it",
    "logger=mlflow": "an extra: tests/training/test_loggers.py trains with it",
    "fold=files": "a file: tests/splits/test_folds.py has one",
    "fold=bundle": "a bundle: tests/sections/readers/test_hest_benchmark.py has one",
}


@pytest.mark.parametrize(
    "option",
    [
        pytest.param(option, marks=[pytest.mark.maps] * (option in MAPPED))
        for option in OPTIONS
        if not NEEDS.get(option)
    ],
)
def test_every_option_trains(train: Run, option: str) -> None:
    extra = {
        "model=published": ["model.teacher.max_epochs=1"],
        "model=dual_stream": ["model.teacher.max_epochs=1"],
        "fold=kfold": ["fold.n_folds=3"],
        "logger=wandb": ["logger.wandb.offline=true"],
        "data/panel=published": ["data.panel.min_cells=20"],
        "data/panel=list": ["data.panel.genes=[DEMO-M001,DEMO-R001,DEMO-N001]"],
        "encoder=histology": ["data.reader.sections=[DEMO1,DEMO3,DEMO5]"],
        "encoder=pair": ["data.reader.sections=[DEMO1,DEMO3,DEMO5]"],
    }
    cheap = [] if option.startswith("model") else ["model=ridge"]
    folder = train(*cheap, option, *FAST, *extra.get(option, []))
    assert (folder / "metrics.json").is_file()


@pytest.fixture(scope="module")
def nuclei_folder(small_demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nuclei of the demo in every format, and weights that stand in for Cellpose's."""
    folder = tmp_path_factory.mktemp("nuclei")
    reader = HestReader(str(small_demo))
    (folder / "weights").write_bytes(b"fine")
    for key in reader.section_keys():
        known = known_nuclei(open_image(reader.read(key.section_id).pixels).size, pitch=28)
        for write in (write_cellvit_parquet, write_qupath, write_npy, write_csv):
            write(known, folder, key.section_id)
    return folder


@pytest.mark.parametrize("option", [path.stem for path in sorted((CONF / "nuclei").glob("*.yaml"))])
def test_every_nuclei_source_trains(
    train: Run, nuclei_folder: Path, option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace_cellpose(monkeypatch)
    settings = {
        **dict.fromkeys(
            ("cellvit", "qupath", "label_mask", "centroids"),
            f"nuclei.counter.source.folder={nuclei_folder}",
        ),
        "published_mask": f"nuclei.counter.folder={nuclei_folder}",
        "cellpose": f"nuclei.counter.source.weights={nuclei_folder}/weights",
    }
    extra = [settings[option]] if option in settings else []
    read = "none" if option == "none" else "covariate"
    sections = "data.reader.sections=[DEMO1,DEMO3,DEMO5]"
    folder = train(
        "model=mlp", f"model.module.nuclei={read}", *FAST, f"nuclei={option}", sections, *extra
    )
    assert (folder / "metrics.json").is_file()


@pytest.mark.parametrize(
    "path", sorted((CONF / "experiment").glob("*.yaml")), ids=lambda path: path.stem
)
def test_every_experiment_composes(path: Path, tmp_path: Path) -> None:
    config = compose_config("train", [f"experiment={path.stem}"], tmp_path)
    assert OmegaConf.to_container(config, resolve=True, throw_on_missing=True)


@pytest.mark.parametrize("option", ["cpu", "gpu", "ddp", "auto"])
def test_every_trainer_composes(option: str, tmp_path: Path) -> None:
    config = compose_config("train", [f"trainer={option}"], tmp_path)
    assert config.trainer.max_epochs == config.model.max_epochs


def test_debug_runs(train: Run) -> None:
    assert (train("debug=fast") / "metrics.json").is_file()


def test_published_experiment_runs_with_raw_pixels(train: Run) -> None:
    small = [
        "encoder=random_vit",
        "encoder.raw_pixels=true",
        "encoder.l2_normalize=true",
        "data.panel.min_cells=20",
    ]
    folder = train(
        "experiment=published",
        *small,
        "model.max_epochs=1",
        "model.teacher.max_epochs=1",
        "data.panel.n_top=100",
    )
    text = (folder / "metrics.json").read_text()
    for leak in ("gene panel saw", "teacher saw", "epoch was chosen on the test"):
        assert leak in text


def test_every_task_of_hest_benchmark_selects_its_sections(tmp_path: Path) -> None:
    table = compose_config("train", ["data=hest_bench"], tmp_path).data.tasks
    assert sum(map(len, table.values())) == 70
    for task, ids in table.items():
        words = ["data=hest_bench", f"data.task={task}"]
        config = resolved(compose_config("train", words, tmp_path))
        assert config["data"]["select"]["ids"] == config["data"]["reader"]["select"]["ids"] == ids
        assert config["data"]["name"] == f"hest_bench_{task}"


def test_a_task_that_is_not_there(tmp_path: Path) -> None:
    config = compose_config("train", ["data=hest_bench", "data.task=breast"], tmp_path)
    with pytest.raises(InputError, match=r"data\.tasks has no breast: expected one of .*idc"):
        resolved(config)
