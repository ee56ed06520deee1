"""Any h5ad beside an image, and the released project's flat folder; one section read through every
layout is the same.
"""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import pytest
from builders import GENES, MPP, write_her2st, write_hest
from builders.visium import (
    Truth,
    as_adata,
    truth,
    write_flat,
    write_hest_visium,
    write_image,
    write_visium,
)
from conftest import compose_config
from scipy import sparse

from hespotex.common.errors import InputError
from hespotex.genes.expression import LogNormalised
from hespotex.genes.panel import GenePanel
from hespotex.nuclei.published import PublishedMaskCounter
from hespotex.records.build import build
from hespotex.sections.patch_reader import iterate_patches
from hespotex.sections.patches import PatchSpec
from hespotex.sections.readers.h5ad import H5adReader
from hespotex.sections.readers.her2st import Her2stReader
from hespotex.sections.readers.hest.folder import HestReader
from hespotex.sections.readers.spaceranger.visium import VisiumReader
from hespotex.sections.section import Reader, Section, SectionKey


def all_patches(section: Section) -> Any:
    parts = list(iterate_patches(section, PatchSpec(112.0, 56), 16))
    order = np.argsort(np.concatenate([numbers for numbers, _ in parts]))
    return np.concatenate([patches for _, patches in parts])[order]


def layouts(root: Path, spots: Truth) -> dict[str, Section]:
    write_visium(
        root / "visium" / "S1" / "outs", image=root / "visium" / "S1" / "he.tif", spots=spots
    )
    write_flat(root / "flat", "S1", spots)
    as_adata(spots).write_h5ad(root / "S1.h5ad")
    write_hest_visium(root / "hest", "S1", spots)
    write_image(root / "images" / "S1.tif")
    readers: dict[str, Reader] = {
        "visium": VisiumReader(str(root / "visium")),
        "flat": H5adReader(str(root / "flat"), pitch_um=100.0),
        "h5ad": H5adReader([str(root / "S1.h5ad")], str(root / "images"), mpp=MPP),
        "hest": HestReader(str(root / "hest")),
    }
    return {name: reader.read("S1") for name, reader in readers.items()}


def test_one_section_through_every_layout(tmp_path: Path) -> None:
    """Identical spots, patches and expression, wherever they were read from."""
    sections = layouts(tmp_path, truth())
    visium = sections["visium"]
    panel = GenePanel(GENES[::-1], [])
    for name, section in sections.items():
        assert section.barcodes == visium.barcodes, name
        assert list(section.adata.var_names) == list(visium.adata.var_names), name
        # pandas' digits
        np.testing.assert_allclose(section.pos_px, visium.pos_px, rtol=0, atol=1e-9, err_msg=name)
        np.testing.assert_array_equal(
            LogNormalised()(section, panel).dense(), LogNormalised()(visium, panel).dense(), name
        )
        assert section.mpp == pytest.approx(MPP, rel=1e-6) and section.pitch_um == pytest.approx(
            100, rel=1e-6
        ), name
        np.testing.assert_array_equal(all_patches(section), all_patches(visium), name)


def test_flat_folder_with_its_masks(tmp_path: Path) -> None:
    write_flat(tmp_path, "F1")
    write_flat(tmp_path, "F2")
    options = [
        "data=flat",
        f"data.reader.root={tmp_path}",
        "nuclei=published_mask",
        f"nuclei.counter.folder={tmp_path}",
    ]
    config = compose_config("train", [*options, "data.reader.groups={F1: P1, F2: P2}"], tmp_path)
    reader = build(config.data.reader)
    assert reader.section_keys() == [SectionKey("F1", "P1"), SectionKey("F2", "P2")]
    section = reader.read("F1")
    counter = build(config.nuclei.counter)
    assert section.mpp == pytest.approx(MPP) and isinstance(counter, PublishedMaskCounter)
    assert counter(section).min() > 1


@pytest.mark.parametrize("name", ["visium", "visium_hd", "flat", "h5ad", "hest_benchmark"])
def test_configs_compose_and_refuse_a_missing_folder(tmp_path: Path, name: str) -> None:
    config = compose_config("train", [f"data={name}", f"paths.data={tmp_path}"], tmp_path)
    assert config.data.name == name
    with pytest.raises(InputError, match=r"folder not found: .*; set data.reader.root=PATH"):
        build(config.data.reader)
    assert build(config.data.panel).sees_all_sections is False


def test_groups_from_obs(tmp_path: Path) -> None:
    for name, patient in (("A", "P1"), ("B", "P2")):
        table = as_adata(truth())
        table.obs["donor"] = pd.Categorical([patient] * table.n_obs)
        table.obs["half"] = np.arange(table.n_obs) % 2
        write_flat(tmp_path, name, table=table)
    assert [key.group for key in H5adReader(str(tmp_path), group_key="donor").section_keys()] == [
        "P1",
        "P2",
    ]
    assert [
        key.group
        for key in H5adReader(str(tmp_path), group_key="donor", sections=["B"]).section_keys()
    ] == ["P2"]
    with pytest.raises(
        InputError, match=r"expected one patient in obs\['half'\], found \['0', '1'\]"
    ):
        H5adReader(str(tmp_path), group_key="half")
    with pytest.raises(
        InputError, match=r"expected one patient in obs\['patient'\], found columns .*'donor'"
    ):
        H5adReader(str(tmp_path), group_key="patient")


@pytest.mark.parametrize(
    ("told", "options", "mpp", "source"),
    [
        (None, {"mpp": 1.9, "pitch_um": 100.0}, 1.9, "data.reader.mpp"),
        (2.1, {"mpp": 1.9}, 1.9, "data.reader.mpp"),
        (2.1, {}, 2.1, 'uns["spatial"]'),
        (None, {"pitch_um": 100.0}, 2.0, "spot pitch of 100 um"),
        (None, {"pitch_um": 200.0}, 4.0, "spot pitch of 200 um"),
    ],
)
def test_pixel_size(
    tmp_path: Path, told: float | None, options: dict[str, Any], mpp: float, source: str
) -> None:
    table = as_adata(truth())
    table.uns["spatial"] = {"ST": {"scalefactors": {"microns_per_pixel": told} if told else {}}}
    write_flat(tmp_path, "A", table=table)
    section = H5adReader(str(tmp_path), **options).read("A")
    assert section.mpp == pytest.approx(mpp) and section.mpp_source == source


def test_pixel_size_embedded_or_unchecked(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_flat(tmp_path, "A")
    write_image(tmp_path / "A.tif", mpp=2.1)
    with caplog.at_level(logging.INFO):
        section = H5adReader(str(tmp_path)).read("A")
    assert section.mpp == pytest.approx(2.1, rel=1e-3) and section.pitch_um == pytest.approx(
        105, rel=1e-3
    )
    assert "is not checked, as data.reader.pitch_um is not set" in caplog.text


def change(**parts: Any) -> Callable[[ad.AnnData], ad.AnnData]:
    def apply(table: ad.AnnData) -> ad.AnnData:
        for name, value in parts.items():
            if name == "spatial":
                table.obsm["spatial"] = value
            else:
                setattr(table, name, value)
        return table

    return apply


def with_nan(table: ad.AnnData) -> ad.AnnData:
    table.obsm["spatial"][3, 0] = np.nan
    return table


BROKEN: dict[str, tuple[Callable[[ad.AnnData], ad.AnnData], dict[str, Any], str]] = {
    "no mpp": (
        change(),
        {"mpp": None},
        r"A: no pixel size: neither data.reader.mpp nor .* set data.reader.mpp",
    ),
    "2x off": (
        change(),
        {"mpp": 4.0, "pitch_um": 100.0},
        r"A: at 4.0000 um/px .* 200.0 um apart, expected 100 um",
    ),
    "swapped": (
        change(spatial=truth().pos[:, ::-1]),
        {},
        r"A: \d+ of 36 spots lie outside the image of 400 x 320 px",
    ),
    "scaled": (change(spatial=truth().pos * 4), {}, r"Is it the full-resolution image"),
    "NaN": (with_nan, {}, "A: 1 of 36 spot positions are not numbers"),
    "twice": (change(obs_names=["x"] * 36), {}, "A: 1 barcodes occur more than once"),
    "negative": (change(X=sparse.csr_matrix(truth().counts - 9)), {}, "A: expected raw counts"),
    "log": (
        change(X=np.log1p(truth().counts)),
        {},
        "A: expected raw counts, .* were they normalised",
    ),
    "NaN counts": (
        change(X=np.full((36, 4), np.nan, np.float32)),
        {},
        "A: expected raw counts, .* such as nan",
    ),
    "no spots": (
        lambda table: table[[]].copy(),
        {},
        "A: the count matrix is empty: 0 spots x 4 genes",
    ),
    "no genes": (
        lambda table: table[:, []].copy(),
        {},
        "A: the count matrix is empty: 36 spots x 0 genes",
    ),
    "no X": (change(X=None), {}, "A.h5ad: X is empty.*set data.reader.layer"),
    "no layer": (
        change(),
        {"layer": "counts"},
        r"A.h5ad: no layer 'counts', found \[\]; set data.reader.layer",
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_files(tmp_path: Path, kind: str) -> None:
    make, options, message = BROKEN[kind]
    write_flat(tmp_path, "A", table=make(as_adata(truth())))
    with pytest.raises(InputError, match=message):
        H5adReader(str(tmp_path), **{"mpp": MPP, **options}).read("A")


def test_genes_that_are_named_twice(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    table = as_adata(truth())
    table.var_names = ["AAA", "BBB", "AAA", "AAA"]
    write_flat(tmp_path, "A", table=table)
    with caplog.at_level(logging.INFO):
        section = H5adReader(str(tmp_path), mpp=MPP).read("A")
    assert "A: 1 gene names stand more than once, such as AAA: their counts" in caplog.text
    assert list(section.adata.var_names) == ["AAA", "BBB"]
    summed = section.adata[:, "AAA"].X.toarray().ravel()
    np.testing.assert_array_equal(summed, truth().counts[:, [0, 2, 3]].sum(axis=1))


@pytest.mark.parametrize(
    ("place", "change_file", "message"),
    [
        ("var/_index", lambda names: names[:3], r"cannot be read as h5ad .*3 rows"),
        ("X/indices", lambda numbers: numbers + 2, r"indices lie outside 0 to 3"),
    ],
)
def test_tables_of_genes_that_are_not_of_the_counts(
    tmp_path: Path, place: str, change_file: Callable[[Any], Any], message: str
) -> None:
    path = write_flat(tmp_path, "A")
    with h5py.File(path, "r+") as file:
        values = change_file(file[place][:])
        facts = dict(file[place].attrs)
        del file[place]
        file[place] = values
        file[place].attrs.update(facts)
    with pytest.raises(InputError, match=f"A.h5ad.*{message}"):
        H5adReader(str(tmp_path), mpp=MPP).read("A")


def test_counts_in_a_layer(tmp_path: Path) -> None:
    table = as_adata(truth())
    table.layers["counts"] = table.X.copy()
    table.X = table.X.log1p()
    write_flat(tmp_path, "A", table=table)
    section = H5adReader(str(tmp_path), mpp=MPP, layer="counts").read("A")
    np.testing.assert_array_equal(section.adata.X.toarray(), truth().counts)


def test_missing_image_and_files(tmp_path: Path) -> None:
    path = write_flat(tmp_path, "A")
    (tmp_path / "A.tif").unlink()
    with pytest.raises(
        InputError, match=r"A: no image in .*: expected A.tif .*; set data.reader.images"
    ):
        H5adReader([str(path)], mpp=MPP).read("A")
    with pytest.raises(InputError, match=r"h5ad not found: nowhere.h5ad"):
        H5adReader(["nowhere.h5ad"]).read("nowhere")
    path.unlink()
    with pytest.raises(InputError, match=r"no h5ad file in .*; set data.reader.root"):
        H5adReader(str(tmp_path))


@pytest.mark.parametrize("change_counts", [lambda x: x - 9, np.log1p])
def test_her2st_and_hest_want_raw_counts_too(
    tmp_path: Path, change_counts: Callable[[Any], Any]
) -> None:
    write_her2st(tmp_path / "her2st")
    path = tmp_path / "her2st" / "ST-cnts" / "A1.tsv.gz"
    counts = pd.read_csv(path, sep="\t", index_col=0)
    change_counts(counts).to_csv(path, sep="\t")
    with pytest.raises(InputError, match="A1: expected raw counts"):
        Her2stReader(str(tmp_path / "her2st")).read("A1")
    write_hest(tmp_path / "hest")
    path = tmp_path / "hest" / "st" / "T1.h5ad"
    table = ad.read_h5ad(path)
    table.X = change_counts(table.X.toarray())
    table.write_h5ad(path)
    with pytest.raises(InputError, match="T1: expected raw counts"):
        HestReader(str(tmp_path / "hest")).read("T1")
