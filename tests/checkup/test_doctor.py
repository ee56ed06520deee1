"""The doctor: what is sound passes, each broken section is named with its cure, and the others are
still listed.
"""

import json
import re
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anndata as ad
import cv2
import pytest
from conftest import command, compose_config
from omegaconf import OmegaConf
from test_bad_input import corrupt_image, empty_h5ad, no_spatial, outside

from hespotex.checkup.findings import Findings
from hespotex.checkup.walk import check_up
from hespotex.common.errors import InputError
from hespotex.genes.panel import GenePanel
from hespotex.records.build import build_fold
from hespotex.sections.section import Section
from hespotex.sections.sections import Sections

Doctor = Callable[..., tuple[Findings, str]]
SECTIONS = [f"DEMO{i}" for i in range(1, 7)]


@pytest.fixture
def doctor(small: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Doctor:
    """The findings, and what was logged."""

    def run(*overrides: str, overlays: bool = False) -> tuple[Findings, str]:
        folder = tmp_path / "doctor"
        folder.mkdir(exist_ok=True)
        caplog.clear()
        with caplog.at_level("INFO"):
            found = check_up(
                compose_config("doctor", [*small, *overrides, f"overlays={overlays}"], folder)
            )
        return found, caplog.text

    return run


def change_table(root: Path, change: Callable[[ad.AnnData], None]) -> None:
    path = root / "st" / "DEMO1.h5ad"
    table = ad.read_h5ad(path)
    change(table)
    table.write_h5ad(path)


def empty_counts(root: Path) -> None:
    change_table(root, lambda table: table.X.data.fill(0))


def mouse(root: Path) -> None:
    def rename(table: ad.AnnData) -> None:
        table.var_names = [f"ENSMUSG{i:011d}" for i in range(table.n_vars)]

    change_table(root, rename)


def ensembl(root: Path) -> None:
    def rename(table: ad.AnnData) -> None:
        table.var_names = [f"ENSG{i:011d}.2" for i in range(table.n_vars)]

    change_table(root, rename)


def wrong_scale(root: Path) -> None:
    path = root / "metadata" / "DEMO1.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"pixel_size_um_estimated": 1.4}))


def no_image(root: Path) -> None:
    (root / "wsis" / "DEMO1.tif").unlink()
    shutil.rmtree(root / "patches", ignore_errors=True)


def duplicate(root: Path) -> None:
    shutil.copy(root / "wsis" / "DEMO3.tif", root / "wsis" / "DEMO1.tif")


BROKEN: dict[str, tuple[Callable[[Path], None], list[str]]] = {
    "no spatial": (no_spatial, ["DEMO1", 'adata.obsm["spatial"] = xy']),
    "spots outside": (outside, ["DEMO1", "Is it the full-resolution image"]),
    "corrupt image": (corrupt_image, ["DEMO1", "is the file whole?"]),
    "empty h5ad": (empty_h5ad, ["DEMO1", "is the file whole?"]),
    "empty counts": (empty_counts, ["DEMO1", "data.min_counts"]),
    "wrong scale": (wrong_scale, ["DEMO1", "set data.reader.mpp="]),
    "no image": (no_image, ["DEMO1", "expected wsis/DEMO1.tif"]),
    "mouse": (mouse, ["mouse in DEMO1", "data.reader.sections"]),
    "duplicate": (
        duplicate,
        ["DEMO1 (test) and DEMO3 (training) look like the same tissue", "data.reader.sections"],
    ),
    "ensembl": (ensembl, ["Ensembl ids in DEMO1", "data.genes.aliases"]),
}


def test_a_sound_data_set(doctor: Doctor, tmp_path: Path) -> None:
    found, text = doctor("encoder.patch_um=[112,224]", "model.select_on=validation", overlays=True)
    assert found.problems == []
    assert "training can start" in found.verdict()
    assert not [name for name in SECTIONS if f"| {name} " not in text]
    assert "100 of 100 um" in text
    assert "groups: P1 (DEMO1 DEMO2)" in text
    assert "fold 0 of 3 (leave_one_group_out)" in text
    assert "patches of 112 and 224 um, 256 numbers a spot" in text
    for name in SECTIONS:
        picture = cv2.imread(str(tmp_path / "doctor" / f"{name}.png"))
        assert picture is not None
        assert picture.std() > 10


def test_real_data(doctor: Doctor, shared: Path, tmp_path: Path) -> None:
    root = shared / "data" / "her2st"
    words = [
        "data=her2st",
        f"data.reader.root={root}",
        "data.reader.sections=[B4,C2]",
        "model.select_on=validation",
    ]
    found, text = doctor(*words, overlays=True)
    assert found.problems == []
    assert "genes: human, symbols" in text
    assert "200 of 200 um" in text
    assert (tmp_path / "doctor" / "C2.png").is_file()
    assert any("no validation section" in note for note in found.notes)


@pytest.mark.parametrize("way", ["section", "training"])
def test_the_stored_embeddings_are_asked_whose_they_are(
    doctor: Doctor, small: list[str], tmp_path: Path, way: str
) -> None:
    words = ["model=ridge", f"data.inputs.standardize={way}", f"store.root={tmp_path / 'store'}"]
    assert "read off" not in doctor(*words)[1]
    config: Any = OmegaConf.to_container(
        compose_config("train", [*small, *words], tmp_path), resolve=True
    )
    build_fold(config)
    found, text = doctor(*words)
    assert found.problems == []
    assert re.search(r"section 0\.\d\d \(chance 0\.17\), group 0\.\d\d \(chance 0\.33\)", text)


def test_embeddings_that_cannot_be_asked_are_no_problem(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> dict[str, dict[str, float]]:
        raise OSError("torn")

    monkeypatch.setattr("hespotex.checkup.walk.probe_stored", broken)
    found, text = doctor("model=ridge")
    assert found.problems == []
    assert "not read off the embeddings: OSError: torn" in text


SIDES = {  # of fold 0, as training takes them
    "validation": (r"train (DEMO\d ?)+, validation (DEMO\d ?)+, test DEMO1 DEMO2", []),
    "null": (
        (
            r"train DEMO3 DEMO4 DEMO5 DEMO6, validation none \(nothing is chosen on any: .*=null\),"
            r" test DEMO1 DEMO2"
        ),
        [],
    ),
    "test": (
        r"train DEMO3 DEMO4 DEMO5 DEMO6, validation DEMO1 DEMO2, test DEMO1 DEMO2",
        ["chosen on the test section"],
    ),
}


@pytest.mark.parametrize("select_on", SIDES)
def test_the_split_is_that_of_training(doctor: Doctor, select_on: str) -> None:
    found, text = doctor("model=ridge", f"model.select_on={select_on}")
    pattern, notes = SIDES[select_on]
    assert found.problems == []
    assert re.search(pattern, text), text
    assert [words in note for words, note in zip(notes, found.notes, strict=True)] == [True] * len(
        notes
    )


@pytest.mark.parametrize(("panel", "select_on"), [("hvg", "null"), ("published", "validation")])
def test_the_panel_is_that_of_training(
    doctor: Doctor, small: list[str], monkeypatch: pytest.MonkeyPatch, panel: str, select_on: str
) -> None:
    seen: list[list[str]] = []

    def fit(_: object, sections: list[Section]) -> GenePanel:
        seen.append([section.section_id for section in sections])
        return GenePanel([str(gene) for gene in sections[0].adata.var_names[:5]], [])

    monkeypatch.setattr("hespotex.genes.panel.RankedGenes.fit", fit)
    monkeypatch.setattr("hespotex.genes.panel.PublishedGenes.fit", fit)
    words = ["model=ridge", f"data/panel={panel}", f"model.select_on={select_on}"]
    assert doctor(*words)[0].problems == []
    config: Any = OmegaConf.to_container(
        compose_config("train", [*small, *words], Path()), resolve=True
    )
    build_fold(config)
    assert len(seen) == 2 and seen[0] == seen[1]


def test_all_folds_in_turn(doctor: Doctor, broken: Path) -> None:
    found, text = doctor("fold.index=all", "model=ridge")
    assert found.problems == []
    assert not [i for i in range(3) if f"fold {i} of 3" not in text]
    assert "in fold 0" in text
    # of patients that both train in fold 0
    shutil.copy(broken / "wsis" / "DEMO3.tif", broken / "wsis" / "DEMO5.tif")
    assert doctor(f"data.reader.root={broken}", "fold.index=0")[0].problems == []
    found, _ = doctor(f"data.reader.root={broken}", "fold.index=all")
    assert any(
        "DEMO3 (test) and DEMO5 (training) look like the same tissue" in problem
        for problem in found.problems
    )
    found, _ = doctor("data.reader.sections=[DEMO1,DEMO2]", "fold.index=all")
    assert ["no fold leaves both" in problem for problem in found.problems] == [True]


@pytest.mark.parametrize("case", BROKEN)
def test_broken_sections(doctor: Doctor, broken: Path, case: str) -> None:
    break_it, words = BROKEN[case]
    break_it(broken)
    found, text = doctor(f"data.reader.root={broken}")
    assert len(found.problems) == 1
    assert not [word for word in words if word not in found.problems[0]]
    assert "training cannot start: 1 problem" in found.verdict()
    assert not [name for name in SECTIONS if f"| {name} " not in text]
    assert text.count("BROKEN") == (0 if case in ("mouse", "ensembl", "duplicate") else 1)


def test_two_broken_sections_are_two_problems(doctor: Doctor, broken: Path) -> None:
    no_spatial(broken)
    (broken / "wsis" / "DEMO4.tif").write_bytes(b"")
    found, text = doctor(
        f"data.reader.root={broken}", "nuclei=published_mask", f"nuclei.counter.folder={broken}"
    )
    assert text.count("BROKEN") == 6
    assert sum("DEMO1.h5ad" in problem for problem in found.problems) == 1
    assert sum("DEMO4.tif" in problem for problem in found.problems) == 1
    assert sum("nuclei not found" in problem for problem in found.problems) == 4


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("data.reader.root=nowhere", "folder not found: nowhere; set data.reader.root=PATH"),
        ("fold.index=7", "sweep with fold.index='range(3)'"),
        ("fold=kfold", "set fold.n_folds=3"),
        ("data.panel.markers=[XYZ]", "data.panel.markers: "),
        ("data.panel.min_spot_fraction=1.1", "min_spot_fraction: expected a number from 0"),
        ("model=mlp model.module.nuclei=maybe", "expected covariate, factor or none"),
        ("store.precision=third", "store.precision: expected half or full"),
        ("data.inputs.views=9", "data.inputs.views: expected 1 to 8"),
        ("data.genes.aliases=nowhere.csv", "alias table not found: nowhere.csv"),
    ],
)
def test_settings_that_training_would_refuse(doctor: Doctor, override: str, words: str) -> None:
    found, _ = doctor(*override.split())
    assert len(found.problems) == 1
    assert words in found.problems[0]


def test_the_command_line(small: list[str], broken: Path, tmp_path: Path) -> None:
    words = [
        "-m",
        "hespotex.doctor",
        *small,
        f"paths.outputs={tmp_path}",
        "data.reader.sections=[DEMO1,DEMO3,DEMO5]",
    ]
    done = command(*words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "training can start" in done.stdout
    assert (tmp_path / "doctor" / "hest" / "DEMO3.png").is_file()
    no_spatial(broken)
    done = command(*words, f"data.reader.root={broken}")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "problem 1: " in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_a_problem_is_written_down_once_and_placed() -> None:
    def fail() -> None:
        raise InputError("broken; mend it")

    found = Findings()
    assert found.attempt(lambda: 3) == 3
    for _ in range(2):
        assert found.attempt(fail, "S1") is None
    assert found.problems == ["S1: broken; mend it"]


def test_the_next_section_is_read_while_one_is_checked(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    is_read = {name: threading.Event() for name in SECTIONS}
    named, measured = Sections.named, Sections.measured

    def named_and_told(self: Sections, section_id: str) -> Section:
        section = named(self, section_id)
        read.append(section_id)
        is_read[section_id].set()
        return section

    def measured_after_the_next(self: Sections, raw: Section) -> Section:
        for following in SECTIONS[SECTIONS.index(raw.section_id) + 1 :][:1]:
            assert is_read[following].wait(timeout=30)
        return measured(self, raw)

    monkeypatch.setattr(Sections, "named", named_and_told)
    monkeypatch.setattr(Sections, "measured", measured_after_the_next)
    found, _ = doctor()
    assert not found.problems
    assert read[: len(SECTIONS)] == SECTIONS
