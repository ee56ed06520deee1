"""Spots off the tissue are left out and counted, however `in_tissue` is written."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from builders import write_her2st
from builders.visium import as_adata, truth, write_flat, write_hest_visium, write_visium

from hespotex.common.errors import InputError
from hespotex.sections.readers.checks.on_tissue import yes_or_no
from hespotex.sections.readers.h5ad import H5adReader
from hespotex.sections.readers.her2st import Her2stReader
from hespotex.sections.readers.hest.folder import HestReader
from hespotex.sections.readers.slide import read_positions
from hespotex.sections.readers.spaceranger.visium import VisiumReader

WRITTEN: dict[str, tuple[Any, Any]] = {
    "numbers": (1, 0),
    "floats": (1.0, 0.0),
    "booleans": (True, False),
    "R": ("TRUE", "FALSE"),
    "text": ("1", "0"),
    "text of floats": ("1.0", "0.0"),
    "letters": ("t", "f"),
    "words": (" yes", "No "),
}
OFF = [0, 7, 35]


def written(kind: str, category: bool = False) -> pd.Series:
    yes, no = WRITTEN[kind]
    values = pd.Series([no if i in OFF else yes for i in range(36)], index=truth().barcodes)
    return values.astype("category") if category else values


@pytest.mark.parametrize("category", [False, True])
@pytest.mark.parametrize("kind", WRITTEN)
def test_every_h5ad_reader(
    tmp_path: Path, kind: str, category: bool, caplog: pytest.LogCaptureFixture
) -> None:
    table = as_adata(truth())
    table.obs["in_tissue"] = written(kind, category)
    path = write_flat(tmp_path, "A", table=table)
    kept = [name for i, name in enumerate(truth().barcodes) if i not in OFF]
    with caplog.at_level(logging.INFO):
        section = H5adReader(str(tmp_path), mpp=2.0).read("A")
    assert section.barcodes == kept
    assert "A: 3 of 36 spots are off the tissue (in_tissue): left out" in caplog.text
    np.testing.assert_array_equal(section.adata.X.toarray(), np.delete(truth().counts, OFF, 0))
    np.testing.assert_array_equal(section.pos_px, np.delete(truth().pos, OFF, 0))
    assert read_positions(path)[0] == kept
    assert len(H5adReader(str(tmp_path), mpp=2.0, in_tissue=None).read("A").adata) == 36
    write_hest_visium(tmp_path / "hest", "T1", truth())
    table.write_h5ad(tmp_path / "hest" / "st" / "T1.h5ad")
    assert HestReader(str(tmp_path / "hest")).read("T1").barcodes == kept


@pytest.mark.parametrize("positions", ["tissue_positions.csv", "tissue_positions_list.csv"])
@pytest.mark.parametrize("kind", WRITTEN)
def test_space_ranger(tmp_path: Path, kind: str, positions: str) -> None:
    outs = tmp_path / "V1"
    write_visium(outs, positions=positions, image=outs / "a.tif")
    path = outs / "spatial" / positions
    yes, no = WRITTEN[kind]
    for old, new in ((",1,", f",{yes},"), (",0,", f",{no},")):
        lines = path.read_text().splitlines()
        path.write_text(
            "\n".join(
                line.replace(old, new, 1)
                if line.count(",") and line.split(",")[1] == old[1]
                else line
                for line in lines
            )
        )
    assert len(VisiumReader(str(outs)).read("V1").adata) == 36


@pytest.mark.parametrize("kind", WRITTEN)
def test_a_table_of_positions_and_her2st(tmp_path: Path, kind: str) -> None:
    yes, no = WRITTEN[kind]
    path = tmp_path / "spots.csv"
    path.write_text(f"barcode,in_tissue,x,y\na,{yes},1,2\nb,{no},3,4\nc,{yes},5,6\n")
    names, pos = read_positions(path)
    assert names == ["a", "c"] and pos.tolist() == [[1, 2], [5, 6]]
    write_her2st(tmp_path)
    file = tmp_path / "ST-spotfiles" / "A1_selection.tsv"
    table = pd.read_csv(file, sep="\t")
    table["selected"] = [yes if one else no for one in table["selected"]]
    table.to_csv(file, sep="\t", index=False)
    assert len(Her2stReader(str(tmp_path)).read("A1").adata) == 24


@pytest.mark.parametrize("value", [None, np.nan, "", "maybe", 2, 0.5, -1])
def test_what_means_neither_is_refused(tmp_path: Path, value: Any) -> None:
    table = as_adata(truth())
    values = [1, 0, *[1] * 33, value]
    with pytest.raises(InputError, match=r"expected 1 or 0 .* at 1 spots; the way out"):
        yes_or_no(values, "here", "the way out")
    table.obs["in_tissue"] = pd.Categorical([str(v) if v is not None else None for v in values])
    write_flat(tmp_path, "A", table=table)
    with pytest.raises(InputError, match=r"A: in_tissue: .*data.reader.in_tissue=null"):
        H5adReader(str(tmp_path), mpp=2.0).read("A")


def test_no_spot_on_tissue_and_another_column(tmp_path: Path) -> None:
    table = as_adata(truth())
    table.obs["in_tissue"] = 0
    table.obs["mine"] = written("R")
    write_flat(tmp_path, "A", table=table)
    with pytest.raises(InputError, match=r"A: in_tissue puts no spot on tissue; .*in_tissue=null"):
        H5adReader(str(tmp_path), mpp=2.0).read("A")
    assert len(H5adReader(str(tmp_path), mpp=2.0, in_tissue="mine").read("A").adata) == 33
    with pytest.raises(InputError, match=r"A: no column 'his', found \['array_row'"):
        H5adReader(str(tmp_path), mpp=2.0, in_tissue="his").read("A")
