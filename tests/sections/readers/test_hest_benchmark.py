"""A task of the HEST-Benchmark bundle: its patches, its genes and its splits."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from builders import GENES, MPP, section, write_patches
from builders.visium import as_adata, truth
from conftest import Run

from hespotex.common.errors import InputError
from hespotex.genes.gene_list import GeneList
from hespotex.sections.readers.hest.benchmark import HestBenchmarkReader
from hespotex.sections.section import SectionKey
from hespotex.splits.bundle_split import BundleSplit

FACTOR = 0.5 / MPP  # full-resolution px per patch px
IDS = ["B0", "B1", "B2"]


def write_task(
    root: Path,
    genes: Sequence[str] = GENES,
    attributes: dict[str, float] | None = None,
    ending: str = "\n",
    encoding: str = "utf-8",
) -> Path:
    """Three sections with patches at 30 of 36 spots, and two folds; the text files in this
    encoding.
    """
    for name in ("adata", "patches", "splits"):
        (root / name).mkdir(parents=True)
    for seed, name in enumerate(IDS):
        spots = truth(genes, seed)
        as_adata(spots).write_h5ad(root / "adata" / f"{name}.h5ad")
        write_patches(root / "patches" / f"{name}.h5", spots.barcodes[:5:-1])
        with h5py.File(root / "patches" / f"{name}.h5", "a") as file:
            file["img"][:5] = file["img"][:5] + seed  # no two sections have the same pixels
            file["img"].attrs.update(
                {"patch_size": 56, "factor": FACTOR} if attributes is None else attributes
            )
    for fold, test in enumerate(IDS[:2]):
        for side, names in (("train", [name for name in IDS if name != test]), ("test", [test])):
            rows = [f"{name},patches/{name}.h5,adata/{name}.h5ad" for name in names]
            text = ending.join(["sample_id,patches_path,expr_path", *rows, ""])
            (root / "splits" / f"{side}_{fold}.csv").write_bytes(text.encode(encoding))
    panel = json.dumps({"genes": list(genes[:3])}, indent=1).replace("\n", ending)
    (root / "var_50genes.json").write_bytes(panel.encode(encoding))
    return root


def test_sections_and_their_patches(tmp_path: Path) -> None:
    reader = HestBenchmarkReader(str(write_task(tmp_path / "IDC")))
    assert reader.section_keys() == [SectionKey(name, name) for name in IDS]
    read = reader.read("B1")
    assert (
        read.barcodes == truth().barcodes[6:] and read.image is None and read.pixels.name == "B1.h5"
    )
    np.testing.assert_array_equal(read.adata.X.toarray(), truth(seed=1).counts[6:])
    assert (read.mpp, read.pitch_um) == (MPP, 100) and read.mpp_source.startswith("attributes of ")
    grouped = HestBenchmarkReader(
        str(tmp_path / "IDC"), groups=dict.fromkeys(IDS, "P"), sections=["B2"]
    )
    assert grouped.section_keys() == [SectionKey("B2", "P")]


@pytest.mark.parametrize(
    "attributes",
    [
        {"downsample": FACTOR, "pixel_size": 0.5},
        {"patch_size_src": 56, "patch_size_target": 224},
        {"patch_size": 56},
        {"pixel_size": MPP},
    ],
)
def test_pixel_size_from_the_attributes(tmp_path: Path, attributes: dict[str, float]) -> None:
    assert HestBenchmarkReader(str(write_task(tmp_path, attributes=attributes))).read(
        "B0"
    ).mpp == pytest.approx(MPP)


def test_pixel_size_otherwise(tmp_path: Path) -> None:
    write_task(tmp_path / "none", attributes={})
    assert (
        HestBenchmarkReader(str(tmp_path / "none")).read("B0").mpp_source == "spot pitch of 100 um"
    )
    assert HestBenchmarkReader(str(tmp_path / "none"), mpp=1.9).read("B0").mpp == 1.9
    write_task(tmp_path / "off", attributes={"factor": FACTOR / 2})
    with pytest.raises(
        InputError,
        match=r"B0: at 4.0000 um/px .attributes of .*B0.h5. .* 200.0 um apart, expected 100 um",
    ):
        HestBenchmarkReader(str(tmp_path / "off")).read("B0")


def no_patches(root: Path) -> None:
    (root / "patches" / "B0.h5").unlink()


def broken_patches(root: Path) -> None:
    (root / "patches" / "B0.h5").write_bytes(b"")


def other_barcodes(root: Path) -> None:
    write_patches(root / "patches" / "B0.h5", ["x", "y"])


@pytest.mark.parametrize(
    ("breakage", "message"),
    [
        (no_patches, r"patches not found: .*B0.h5"),
        (broken_patches, r"B0.h5: cannot be read as HEST patches"),
        (
            other_barcodes,
            (
                r"B0: no barcode of .*B0.h5, such as \['x', 'y'\], is among the spots of the h5ad,"
                r" such as \['AAA"
            ),
        ),
    ],
)
def test_broken_patches(tmp_path: Path, breakage: Callable[[Path], None], message: str) -> None:
    breakage(write_task(tmp_path))
    with pytest.raises(InputError, match=message):
        HestBenchmarkReader(str(tmp_path)).read("B0")


@pytest.mark.parametrize(("ending", "encoding"), [("\n", "utf-8"), ("\r\n", "utf-8-sig")])
def test_the_bundles_splits_and_genes(tmp_path: Path, ending: str, encoding: str) -> None:
    write_task(tmp_path, ending=ending, encoding=encoding)
    keys = HestBenchmarkReader(str(tmp_path)).section_keys()
    splits = [BundleSplit(path=str(tmp_path), index=i, validation=0).split(keys) for i in range(2)]
    assert [(s.train, s.test, s.leaks) for s in splits] == [
        (["B1", "B2"], ["B0"], []),
        (["B0", "B2"], ["B1"], []),
    ]
    with pytest.raises(InputError, match=r"fold.index=2, but there are 2 folds"):
        BundleSplit(path=str(tmp_path), index=2).split(keys)
    with pytest.raises(InputError, match="on both sides of the split"):
        BundleSplit(path=str(tmp_path)).split([SectionKey(key.section_id, "P") for key in keys])
    assert (
        GeneList(path=str(tmp_path / "var_50genes.json")).fit([section(genes=GENES)]).genes
        == GENES[:3]
    )


def test_eleven_folds_are_in_order_of_number(tmp_path: Path) -> None:
    (tmp_path / "splits").mkdir()
    keys = [SectionKey(f"S{i}", f"S{i}") for i in range(11)]
    for i in range(11):
        (tmp_path / "splits" / f"test_{i}.csv").write_text(f"sample_id\nS{i}\n")
        (tmp_path / "splits" / f"train_{i}.csv").write_text(
            "sample_id\n" + "".join(f"S{j}\n" for j in range(11) if j != i)
        )
    assert BundleSplit(path=str(tmp_path), index=2).split(keys).test == ["S2"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("test_0.csv", "sample_id\nB1\n", r"fold 0 has sections on both sides: \['B1'\]"),
        (
            "test_0.csv",
            "sample_id\nB7\n",
            r"test_0.csv names sections that the data set lacks: \['B7'\]",
        ),
        (
            "test_0.csv",
            "id\nB0\n",
            r"test_0.csv: expected columns sample_id,patches_path,expr_path, found \['id'\]",
        ),
        ("test_0.csv", None, "table not found: .*test_0.csv"),
    ],
)
def test_broken_splits(tmp_path: Path, name: str, text: str | None, message: str) -> None:
    path = write_task(tmp_path) / "splits" / name
    path.write_text(text) if text else path.unlink()
    with pytest.raises(InputError, match=message):
        BundleSplit(path=str(tmp_path)).split([SectionKey(i, i) for i in IDS])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("g.json", '["CCC", "AAA"]'),
        ("g.txt", "CCC\r\n\r\nAAA\r\nCCC\n"),
        ("g.json", '\ufeff{"genes": ["CCC", "AAA"]}'),
    ],
)
def test_gene_lists(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    panel = GeneList(path=str(tmp_path / name), markers=["AAA"]).fit([section(genes=GENES)])
    assert panel.genes == ["CCC", "AAA"] and panel.fitted_on == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "expected either data.panel.genes"),
        ({"genes": ["AAA"], "path": "x"}, "expected either data.panel.genes"),
        ({"genes": ["AAA"]}, "needs two genes or more"),
        ({"genes": ["AAA", "AAB"]}, r"data.panel.genes: not among the genes .*: AAB \(near: AAA"),
        ({"genes": ["AAA", "BBB"], "markers": ["CCC"]}, "data.panel.markers: not among the genes"),
        ({"path": "nowhere.json"}, "gene list not found: nowhere.json; set data.panel.path"),
    ],
)
def test_gene_lists_that_do_not_fit(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        GeneList(**options).fit([section(genes=GENES)])


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "not valid JSON"), ('{"gene": []}', 'expected {"genes"'), ("3", "expected")],
)
def test_gene_files_that_are_none(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "g.json").write_text(text)
    with pytest.raises(InputError, match=message):
        GeneList(path=str(tmp_path / "g.json")).fit([section(genes=GENES)])


def test_a_task_trains_on_its_own_splits_and_genes(train: Run, tmp_path: Path) -> None:
    root = write_task(tmp_path / "IDC", [f"G{i:02d}" for i in range(12)])
    folder = train(
        "data=hest_benchmark",
        f"data.reader.root={root}",
        "fold=bundle",
        "fold.index=1",
        "model=ridge",
        "nuclei=none",
    )
    metrics = json.loads((folder / "metrics.json").read_text())
    assert (
        metrics["split"]["test"] == ["B1"]
        and metrics["split"]["n_folds"] == 2
        and metrics["leaks"] == []
    )
    assert (folder / "per_gene.csv").read_text().count("\n") == 4  # a header and three genes
