"""Small sound data sets, and how each is read whole."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from builders import write_her2st, write_hest
from builders.visium import (
    as_adata,
    truth,
    write_flat,
    write_hest_visium,
    write_visium,
    write_visium_hd,
)

from hespotex.genes.gene_list import GeneList
from hespotex.sections.gene_names import read_aliases
from hespotex.sections.readers.groups import read_groups
from hespotex.sections.readers.h5ad import H5adReader
from hespotex.sections.readers.her2st import Her2stReader
from hespotex.sections.readers.hest.benchmark import HestBenchmarkReader
from hespotex.sections.readers.hest.folder import HestReader
from hespotex.sections.readers.slide import read_positions
from hespotex.sections.readers.spaceranger.visium import VisiumReader
from hespotex.sections.readers.spaceranger.visium_hd import VisiumHDReader
from hespotex.sections.section import Reader, section_facts

IMAGES = {".tif", ".jpg", ".png", ".npy"}  # not damaged here


@dataclass(frozen=True)
class DataSet:
    """`write` makes it in an empty folder, `read` reads all of it."""

    name: str
    write: Callable[[Path], object]
    read: Callable[[Path], object]


def read_all(reader: Reader) -> None:
    """Every section, and what the rest of the house asks first."""
    for key in reader.section_keys():
        section_facts(reader.read(key.section_id))


def _flat(root: Path) -> None:
    table = as_adata(truth())
    table.layers["n"] = table.X.copy()
    table.obs["patient"] = "P1"
    table.obs["in_tissue"] = 1
    table.uns["spatial"] = {
        "L": {"scalefactors": {"spot_diameter_fullres": 32.5, "microns_per_pixel": 2.0}}
    }
    write_flat(root, "A", table=table)


def _named(root: Path) -> None:
    import pandas as pd

    table = as_adata(truth())
    table.X = table.X.toarray()
    table.obsm["spatial"] = pd.DataFrame(
        truth().pos[:, ::-1], columns=["y", "x"], index=table.obs_names
    )
    write_flat(root, "A", table=table)


def _hest(root: Path) -> None:
    write_hest_visium(root, "T1", truth())
    (root / "HEST_v1_0_0.csv").write_text("id,patient,organ\nT1,P1,Breast\n")


def _bundle(root: Path) -> None:
    write_hest(root, "B1", image=False, patches=range(25))
    (root / "st").rename(root / "adata")


def _her2st(root: Path) -> None:
    write_her2st(root)
    labels = root / "ST-pat" / "lbl" / "A1_labeled_coordinates.tsv"
    labels.parent.mkdir(parents=True)
    labels.write_text("x\ty\tlabel\n" + "".join(f"{i}\t{i}\ttumour\n" for i in range(5)))


def _spots(root: Path) -> None:
    rows = "".join(f"s{i},1,{i},{i + 0.5}\n" for i in range(12))
    (root / "spots.csv").write_text("barcode,in_tissue,x,y\n" + rows)
    (root / "plain.tsv").write_text("x\ty\n" + "".join(f"{i}\t{2 * i}\n" for i in range(12)))
    header = "barcode,in_tissue,array_row,array_col,pxl_row_in_fullres,pxl_col_in_fullres\n"
    spots = "".join(f"s{i},{i % 2},{i},{i},{i}0,{i}1\n" for i in range(12))
    (root / "tissue_positions.csv").write_text(header + spots)
    as_adata(truth()).write_h5ad(root / "spots.h5ad")


def _lists(root: Path) -> None:
    (root / "genes.json").write_text(json.dumps({"genes": ["A", "B", "C"]}))
    (root / "genes.txt").write_text("A\nB\nC\n")
    (root / "aliases.csv").write_text("alias,symbol\nENSG000001,A\nENSG000002,B\n")
    (root / "groups.csv").write_text("section_id,patient\nA,P1\nB,P2\n")


def _read_lists(root: Path) -> None:
    for name in ("genes.json", "genes.txt"):
        GeneList(path=str(root / name)).listed()
    read_aliases(root / "aliases.csv")
    read_groups(str(root / "groups.csv"), ["A", "B"])


def _read_spots(root: Path) -> None:
    for path in sorted(root.iterdir()):
        names, pos = read_positions(path)
        assert len(names) == len(pos) and np.asarray(pos).shape[1] == 2


DATA_SETS = {
    data_set.name: data_set
    for data_set in (
        DataSet("h5ad", _flat, lambda r: read_all(H5adReader(str(r), group_key="patient"))),
        DataSet("layer", _flat, lambda r: read_all(H5adReader(str(r), mpp=2.0, layer="n"))),
        DataSet("named", _named, lambda r: read_all(H5adReader(str(r), pitch_um=100.0))),
        DataSet("hest", _hest, lambda r: read_all(HestReader(str(r), select={"organ": "Breast"}))),
        DataSet(
            "hest_benchmark",
            _bundle,
            lambda r: read_all(HestBenchmarkReader(str(r), mpp=2.0, pitch_um=120.0)),
        ),
        DataSet("her2st", _her2st, lambda r: read_all(Her2stReader(str(r)))),
        DataSet(
            "visium",
            lambda r: write_visium(r / "S1", image=r / "S1" / "a.tif"),
            lambda r: read_all(VisiumReader(str(r))),
        ),
        DataSet(
            "visium_mtx",
            lambda r: write_visium(
                r / "S1",
                matrix="filtered_feature_bc_matrix",
                positions="tissue_positions_list.csv",
                image=r / "S1" / "a.tif",
            ),
            lambda r: read_all(VisiumReader(str(r))),
        ),
        DataSet(
            "visium_hd",
            lambda r: write_visium_hd(r / "S1", image=r / "S1" / "a.tif"),
            lambda r: read_all(VisiumHDReader(str(r), pool=2)),
        ),
        DataSet("positions", _spots, _read_spots),
        DataSet("lists", _lists, _read_lists),
    )
}
