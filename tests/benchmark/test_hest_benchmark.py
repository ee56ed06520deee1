"""The benchmark mode against an independent script, and what its table says."""

import json
import shutil
from pathlib import Path

import anndata as ad
import h5py
import numpy as np
import pytest
from conftest import command, compose_config
from scipy import sparse

from hespotex.benchmark.recipe import score_fold
from hespotex.benchmark.table import read_results, render
from hespotex.benchmark.task import find_tasks
from hespotex.common.errors import InputError
from hespotex.hest_benchmark import benchmark

from .independent import score_task

GENES = [f"G{i}" for i in range(6)]
# spots a side, px of the small stored patches
SIDE = 16
PX = 32


def write_bundle(root: Path, samples: int = 3) -> Path:
    """Samples of 256 spots whose counts follow the colours of their patches, and two folds; patches
    in another order.
    """
    for name in ("adata", "patches", "splits"):
        (root / name).mkdir(parents=True)
    ids = [f"S{i}" for i in range(samples)]
    for seed, name in enumerate(ids):
        rng = np.random.default_rng(seed)
        patches = rng.integers(0, 256, (SIDE**2, PX, PX, 3), dtype=np.uint8) // 2 + rng.integers(
            0, 128, (SIDE**2, 1, 1, 3)
        )
        colour = patches.mean(axis=(1, 2))
        counts = rng.poisson(colour @ rng.random((3, len(GENES))) / 30).astype(np.float32)
        table = ad.AnnData(sparse.csr_matrix(counts))
        table.obs_names = [f"b{i:03d}" for i in range(SIDE**2)]
        table.var_names = GENES
        table.obsm["spatial"] = (
            50.0 * np.stack(np.divmod(np.arange(SIDE**2), SIDE)[::-1], axis=1) + 100
        )
        table.write_h5ad(root / "adata" / f"{name}.h5ad")
        order = rng.permutation(SIDE**2)[10:]
        with h5py.File(root / "patches" / f"{name}.h5", "w") as file:
            file["img"], file["barcode"] = (
                patches[order].astype(np.uint8),
                np.array([[f"b{i:03d}".encode()] for i in order]),
            )
    for fold, test in enumerate(ids[:2]):
        for side, names in (("train", [i for i in ids if i != test]), ("test", [test])):
            rows = "".join(f"{i},patches/{i}.h5,adata/{i}.h5ad\n" for i in names)
            (root / "splits" / f"{side}_{fold}.csv").write_text(
                f"sample_id,patches_path,expr_path\n{rows}"
            )
    (root / "var_50genes.json").write_text(json.dumps({"genes": GENES[::-1][1:]}))
    return root


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of one task; do not change it."""
    return write_bundle(tmp_path_factory.mktemp("bundle") / "IDC").parent


def words(bundle: Path, out: Path, *more: str) -> list[str]:
    # 272 numbers: PCA has work
    wide = ["encoder=random_vit", "encoder.width=136", "encoder.depth=1", "encoder.patch_px=32"]
    return [f"root={bundle}", f"paths.outputs={out}", f"paths.store={out}/store", *wide, *more]


def run(bundle: Path, out: Path, *more: str) -> str:
    return benchmark(compose_config("hest_benchmark", words(bundle, out, *more), out))


def test_scored_as_an_independent_script_does(bundle: Path, tmp_path: Path) -> None:
    table = run(bundle, tmp_path)
    found = json.loads((tmp_path / "hest_benchmark" / "random_vit" / "IDC.json").read_text())
    stored = {path.parent.name: path for path in (tmp_path / "store").glob("*/*.h5")}
    mean, spread, genes = score_task(bundle / "IDC", stored)
    assert found["pcc_mean"] == pytest.approx(mean, abs=1e-6)
    assert found["pcc_std"] == pytest.approx(spread, abs=1e-6)
    assert list(found["genes"]) == sorted(genes)
    for gene, values in genes.items():
        assert found["genes"][gene] == pytest.approx(values, abs=1e-6)
    assert [fold["n_components"] for fold in found["folds"]] == [256, 256]
    assert [(fold["test"], fold["n_train"], fold["leaks"]) for fold in found["folds"]] == [
        (["S0"], 492, []),
        (["S1"], 492, []),
    ]
    assert 0.05 < mean < 1
    assert f"| random_vit | {mean:.4f} ({spread:.4f}) | {mean:.4f}" in table


def test_another_encoder_under_the_same_name_is_refused(bundle: Path, tmp_path: Path) -> None:
    run(bundle, tmp_path)
    with pytest.raises(InputError, match=r"holds the scores of another encoder.*name=NEW"):
        run(bundle, tmp_path, "encoder.seed=1")
    table = run(bundle, tmp_path, "encoder.seed=1", "name=second")
    assert "| second" in table and "| random_vit" in table


def test_a_split_with_one_tissue_on_both_sides_is_labelled(bundle: Path, tmp_path: Path) -> None:
    task = Path(shutil.copytree(bundle / "IDC", tmp_path / "bundle" / "IDC"))
    for folder, suffix in (("patches", "h5"), ("adata", "h5ad")):
        shutil.copy(task / folder / f"S0.{suffix}", task / folder / f"S2.{suffix}")
    table = run(task.parent, tmp_path)
    assert (
        "**IDC, fold 0: LEAK in the bundle's own split.** S0 (test) and S2 (training) look like the"
        " same tissue" in table
    )
    assert "fold 1: LEAK" not in table


def test_constant_genes_and_narrow_embeddings_are_told() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 5))
    y = rng.poisson(3, (40, 3)).astype(float)
    y[20:, 1] = 0
    score = score_fold(x[:20], y[:20], x[20:], y[20:])
    assert np.isnan(score.pcc).tolist() == [False, True, False]
    assert score.mean == pytest.approx(np.nanmean(score.pcc)) and score.n_components == 5
    fold = {"leaks": [], "n_genes_scored": 2, "n_components": 5}
    result = {"pcc_mean": 0.5, "pcc_std": 0.1, "folds": [fold], "genes": dict.fromkeys("ABC")}
    text = render({"few": {"IDC": result}, "many": {"IDC": result, "PRAD": result}})
    assert (
        "IDC, fold 0, few: 1 constant genes left out" in text and "PCA keeps 5 dimensions" in text
    )
    assert text.index("| many") < text.index("| few") and " -   " in text


AS_RELEASED = {
    "uni": ("fp16", None),
    "virchow2": ("fp16", None),
    "hoptimus0": ("fp16", None),
    "h0_mini": ("fp16", None),
    "conch": ("fp32", None),
    "phikon": ("fp32", None),
    "hibou_l": ("fp32", None),
    "gigapath": ("fp32", 256),
    "uni2": ("auto", None),
}


@pytest.mark.parametrize("name", AS_RELEASED)
def test_each_encoder_runs_as_the_benchmark_runs_it(name: str, tmp_path: Path) -> None:
    encoder = compose_config("hest_benchmark", [f"encoder={name}"], tmp_path).encoder
    assert (encoder.precision, encoder.resize_px) == AS_RELEASED[name]
    assert (
        compose_config(
            "hest_benchmark", [f"encoder={name}", "encoder.precision=bf16"], tmp_path
        ).encoder.precision
        == "bf16"
    )
    trained = compose_config("train", [f"encoder={name}"], tmp_path).encoder
    assert (trained.precision, trained.resize_px) == ("auto", None)


def test_the_table_says_how_each_encoder_was_computed() -> None:
    fold = {"leaks": [], "n_genes_scored": 1, "n_components": 256}
    result = {"pcc_mean": 0.5, "pcc_std": 0.1, "folds": [fold], "genes": {"A": 1}}
    half = {"precision": "fp16"}
    cut = {"precision": "fp32", "resize_px": 256}
    identities = {
        "uni": half,
        "gigapath": cut,
        "histology": {},
        "pair": {"parts": {"first": {}, "second": half}},
    }
    text = render(
        {name: {"IDC": result | {"identity": identity}} for name, identity in identities.items()}
    )
    assert "- uni: computed in fp16.\n" in text
    assert "- gigapath: computed in fp32 on the middle of patches enlarged to 256 px.\n" in text
    assert "- pair, second: computed in fp16.\n" in text
    assert "histology: computed" not in text


def test_bundles_that_are_none(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"no task .a folder with var_50genes.json. in .*set root=FOLDER"
    ):
        find_tasks(tmp_path, None)
    with pytest.raises(InputError, match=r"tasks names \['PRAD'\], but .* holds \['IDC'\]"):
        find_tasks(bundle, ["PRAD"])
    (tmp_path / "IDC").mkdir()
    shutil.copytree(bundle / "IDC", tmp_path / "IDC", dirs_exist_ok=True)
    (tmp_path / "IDC" / "var_50genes.json").write_text('{"genes": ["G0", "G9"]}')
    with pytest.raises(
        InputError, match=r"var_50genes.json, section S\d: not among the genes .*G9"
    ):
        run(tmp_path, tmp_path)
    assert read_results(tmp_path / "hest_benchmark") == {}


def test_the_command_line(bundle: Path, tmp_path: Path) -> None:
    done = command("-m", "hespotex.hest_benchmark", *words(bundle, tmp_path))
    assert done.returncode == 0, done.stderr
    assert "| encoder" in done.stdout and (tmp_path / "hest_benchmark" / "table.md").is_file()
