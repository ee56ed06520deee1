"""Names of sections, genes, slides and sets are not paths: what a run writes stays where it
belongs.
"""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import compose_config
from omegaconf import OmegaConf

from hespotex.common.hdf5 import read_anndata
from hespotex.embeddings.store import EmbeddingStore, Request
from hespotex.prediction.slide_list import find_slides
from hespotex.results.html.calibration import calibration
from hespotex.results.html.pictures import map_files
from hespotex.results.predictions import prediction_file
from hespotex.sections.readers.hest.folder import HestReader
from hespotex.sections.section import Section, SectionKey, make_adata
from hespotex.sections.sections import Sections
from hespotex.training.run import train_fold

GENES = ["x/../../../0", "Abc", "ABC", "g" * 300]
NAMES = ["..", "x/../../../0", "a\0b", "n" * 300, "CON", ".h", "<b>"]


@pytest.mark.parametrize("name", NAMES)
def test_the_store_keeps_to_its_folder(tmp_path: Path, name: str) -> None:
    store = EmbeddingStore(str(tmp_path / "store"))
    request = Request(name, name, {"a": 1}, ["s"])
    rows = store.load(request, lambda _: [np.ones((1, 2), np.float32)])
    assert rows[:].tolist() == [[1, 1]]
    assert len(list(tmp_path.glob("store/*/*.h5"))) == len(list(tmp_path.rglob("*.h5"))) == 1


class Renamed:
    """A reader's sections and genes under other names."""

    def __init__(self, reader: Any, sections: list[str]) -> None:
        self.reader = reader
        self.keys = dict(zip(sections, reader.section_keys(), strict=True))

    def section_keys(self) -> list[SectionKey]:
        return [SectionKey(name, key.group) for name, key in self.keys.items()]

    def read(self, section_id: str) -> Section:
        section = self.reader.read(self.keys[section_id].section_id)
        genes = [*GENES, *map(str, section.adata.var_names[len(GENES) :])]
        table = make_adata(section.adata.X, section.barcodes, genes, section.pos_px)
        key = SectionKey(section_id, self.keys[section_id].group)
        return replace(section, key=key, adata=table)


@pytest.mark.maps
def test_a_run(small: list[str], small_demo: Path, tmp_path: Path) -> None:
    sections = ["..", "x/../../../0", "s1", "S1", "n" * 300, "<img src=x>"]
    words = [
        "model=gene_mean",
        "fold=files",
        f"fold.path={tmp_path}/split.csv",
        "data.panel.n_top=8",
    ]
    words += ["data.panel.min_spot_fraction=0", "fold.allow_leak=true"]
    table = pd.DataFrame({"fold": 0, "section_id": sections, "split": ["train", *["test"] * 5]})
    table.to_csv(tmp_path / "split.csv", index=False)
    folder = tmp_path / "out" / "run"
    folder.mkdir(parents=True)
    config: Any = OmegaConf.to_container(
        compose_config("train", [*small, *words], folder), resolve=True
    )
    config["data"]["panel"]["markers"] = GENES
    config["data"]["detect_duplicates"] = False
    config["paths"]["store"] = config["store"]["root"] = str(tmp_path / "out" / "store")
    train_fold(config, Sections(Renamed(HestReader(str(small_demo)), sections), keep_gib=1.0))
    written = [path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.parts[0] for path in written} == {"out", "split.csv"}
    files = {prediction_file(folder, name) for name in sections[1:]}
    assert len({str(file).casefold() for file in files}) == 5
    for name in sections[1:]:
        assert read_anndata(prediction_file(folder, name)).n_vars >= 8
        assert calibration(folder, name) is not None
        drawn = [file.name.casefold() for file in map_files(folder, name, "named")]
        assert len(set(drawn)) == len(GENES)


def test_slides(tmp_path: Path) -> None:
    for name in ("a:b", "plain (1), 2.5x"):
        (tmp_path / f"{name}.svs").touch()
    names = [slide.name for slide in find_slides(f"{tmp_path}/*.svs")]
    assert names[1] == "plain (1), 2.5x" and re.fullmatch("a_b-[0-9a-f]{8}", names[0])
    for folder in ("1", "2"):
        (tmp_path / folder).mkdir()
    (tmp_path / "1" / "s.svs").touch()
    (tmp_path / "2" / "S.svs").touch()
    assert [slide.name for slide in find_slides(f"{tmp_path}/[12]/*.svs")] == ["1_s", "2_S"]
