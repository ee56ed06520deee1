"""The synthetic HEST-1k folder: reproducible, readable, and with its planted signal inside."""

import hashlib
import json
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import tifffile

from hespotex.demo import make_demo
from hespotex.demo.expression import plan_genes
from hespotex.demo.layout import REGIONS, plan_layout
from hespotex.demo.section import simulate_section
from hespotex.demo.streams import stream
from hespotex.sections.readers.demo import DemoReader

SMALL: dict[str, Any] = {"n_patients": 2, "sections_per_patient": 1, "spots_per_side": 6}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_demo(tmp_path_factory.mktemp("demo") / "hest", seed=3, **SMALL)


def digests(root: Path) -> dict[str, str]:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_same_seed_gives_the_same_bytes(demo: Path, tmp_path: Path) -> None:
    assert digests(make_demo(tmp_path / "again", seed=3, **SMALL)) == digests(demo)


def test_other_seed_gives_other_tissue_and_counts(demo: Path, tmp_path: Path) -> None:
    ours = digests(demo)
    other = digests(make_demo(tmp_path / "other", seed=4, **SMALL))
    assert ours.keys() == other.keys()
    for name in ("wsis/DEMO1.tif", "st/DEMO1.h5ad", "planted.csv", "slides/bare.tif"):
        assert ours[name] != other[name]


def test_a_section_does_not_depend_on_how_many_there_are(demo: Path, tmp_path: Path) -> None:
    one = digests(
        make_demo(tmp_path / "one", seed=3, n_patients=1, sections_per_patient=1, spots_per_side=6)
    )
    ours = digests(demo)
    for name in ("wsis/DEMO1.tif", "st/DEMO1.h5ad", "slides/bare.tif", "slides/bare_truth.h5ad"):
        assert one[name] == ours[name]


def test_expression_has_the_layout_of_hest(demo: Path) -> None:
    section = ad.read_h5ad(demo / "st" / "DEMO1.h5ad")
    assert section.X.format == "csr" and section.X.dtype == np.float32
    assert np.all(section.X.data == np.round(section.X.data)) and section.X.data.min() > 0
    assert section.obs_names.is_unique and section.obs_names.str.fullmatch(r"\d{3}x\d{3}").all()
    xy = section.obs[["pxl_col_in_fullres", "pxl_row_in_fullres"]].to_numpy()
    np.testing.assert_array_equal(xy, section.obsm["spatial"])
    library = section.uns["spatial"]["ST"]
    assert library["images"]["downscaled_fullres"].dtype == np.uint8
    assert set(library["scalefactors"]) == {
        "spot_diameter_fullres",
        "tissue_downscaled_fullres_scalef",
    }


def test_neighbouring_spots_are_100_um_apart(demo: Path) -> None:
    section = ad.read_h5ad(demo / "st" / "DEMO1.h5ad")
    mpp = json.loads((demo / "metadata" / "DEMO1.json").read_text())["pixel_size_um_estimated"]
    xy = section.obsm["spatial"]
    gap = np.linalg.norm(xy[:, None] - xy[None], axis=-1) * mpp
    nearest = np.where(gap == 0, np.inf, gap).min(axis=1)
    np.testing.assert_allclose(nearest, 100.0, rtol=1e-6)


@pytest.mark.parametrize("name", ["wsis/DEMO1.tif", "wsis/DEMO2.tif", "slides/bare.tif"])
def test_image_is_a_tiled_pyramid_with_resolution_in_cm(demo: Path, name: str) -> None:
    with tifffile.TiffFile(demo / name) as tiff:
        page = tiff.pages.first
        assert page.is_tiled and page.tilewidth == page.tilelength == 256
        assert page.shape[2] == 3 and page.dtype == np.uint8
        assert len(tiff.series[0].levels) >= 2
        top, bottom = page.tags["XResolution"].value
        assert page.tags["ResolutionUnit"].value == tifffile.RESUNIT.CENTIMETER
        assert 1e4 * bottom / top == pytest.approx(0.7, rel=1e-6)


def test_spots_lie_on_tissue_darker_than_the_glass(demo: Path) -> None:
    image = tifffile.imread(demo / "wsis" / "DEMO1.tif").mean(axis=-1)
    xy = ad.read_h5ad(demo / "st" / "DEMO1.h5ad").obsm["spatial"].astype(int)
    under = [image[y - 30 : y + 30, x - 30 : x + 30].mean() for x, y in xy]
    assert np.median(under) < image[:20, :20].mean() - 30


def test_tables_agree_with_the_sections(demo: Path) -> None:
    assert (demo / "HEST_v1_1_0.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    table = pd.read_csv(demo / "HEST_v1_1_0.csv", encoding="utf-8-sig").set_index("id")
    assert list(table["patient"]) == ["P1", "P2"]
    for name, row in table.iterrows():
        record = json.loads((demo / "metadata" / f"{name}.json").read_text())
        section = ad.read_h5ad(demo / "st" / f"{name}.h5ad")
        assert set(record) == {"id", *table.columns}
        assert row["nb_genes"] == record["nb_genes"] == section.n_vars
    assert table["pixel_size_um_embedded"].isna().any()


def test_gene_sets_differ_a_little_and_all_are_planted(demo: Path) -> None:
    planted = pd.read_csv(demo / "planted.csv").set_index("gene")
    first, second = (set(ad.read_h5ad(demo / "st" / f"DEMO{k}.h5ad").var_names) for k in (1, 2))
    assert first != second and len(first & second) == 300
    assert first | second <= set(planted.index)
    assert ((planted["effect"] == 0) == (planted["driver"] == "none")).all()


def test_bare_truth_holds_just_the_driven_genes(demo: Path) -> None:
    planted = pd.read_csv(demo / "planted.csv")
    truth = ad.read_h5ad(demo / "slides" / "bare_truth.h5ad")
    assert list(truth.var_names) == list(planted.loc[planted["driver"] != "none", "gene"])
    assert np.isfinite(truth.X).all() and (np.asarray(truth.X).std(axis=0) > 0).all()


def test_planted_signal_is_in_the_counts() -> None:
    genes = plan_genes(0)
    section = simulate_section(0, patient=0, section=0, spots_per_side=12)
    driver = np.array(genes.driver)[[genes.names.index(name) for name in section.names]]
    counts = section.counts.toarray()
    value = np.log1p(1e4 * counts / counts.sum(axis=1, keepdims=True))
    value = (value - value.mean(axis=0)) / value.std(axis=0)
    truth = section.log_rate[:, driver != "none"]
    truth = (truth - truth.mean(axis=0)) / truth.std(axis=0)
    own = (value[:, driver != "none"] * truth).mean(axis=0)
    noise = value[:, driver == "none"].T @ truth / len(truth)
    for kind in ("morphology", "region", "neighbourhood"):
        assert np.median(own[driver[driver != "none"] == kind]) > 0.4
    assert np.quantile(np.abs(noise), 0.95) < 0.3
    assert 1500 < np.median(counts.sum(axis=1)) < 7000


def test_genes_without_a_driver_have_a_constant_rate() -> None:
    section = simulate_section(1, patient=0, section=0, spots_per_side=4)
    none = [k for k, name in enumerate(section.names) if name[5].isdigit() or name[5] == "X"]
    np.testing.assert_allclose(np.ptp(section.log_rate[:, none], axis=0), 0, atol=1e-9)


def test_every_region_occurs_and_weights_sum_to_one() -> None:
    layout = plan_layout(stream(0, "layout", 0), 17)
    np.testing.assert_allclose(layout.regions.sum(axis=0), 1, atol=1e-5)
    assert set(layout.regions.argmax(axis=0).ravel()) == set(range(len(REGIONS)))
    assert 250 <= len(layout.spots.xy) <= 300


def test_second_call_returns_at_once(demo: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in demo.rglob("*")}
    assert make_demo(demo, seed=3, **SMALL) == demo
    assert {path: path.stat().st_mtime_ns for path in demo.rglob("*")} == before


def test_other_parameters_for_a_finished_folder_are_refused(demo: Path) -> None:
    with pytest.raises(ValueError, match="delete it or give another folder"):
        make_demo(demo, seed=5, **SMALL)


@pytest.mark.parametrize("name", ["notes.txt", "demo.json"])
def test_foreign_folder_is_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(ValueError, match=str(tmp_path)):
        make_demo(tmp_path, **SMALL)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_nothing_is_left_behind_when_writing_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("hespotex.demo.build.write_section", fail)
    with pytest.raises(OSError, match="disk full"):
        make_demo(tmp_path / "demo", **SMALL)
    assert not list(tmp_path.iterdir())


def test_impossible_parameters_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least 1 patient"):
        make_demo(tmp_path / "demo", n_patients=0)


def test_patients_of_a_mixed_demo_are_measured_in_turn(demo: Path, tmp_path: Path) -> None:
    mixed = make_demo(tmp_path / "mixed", seed=3, mixed=True, **{**SMALL, "n_patients": 3})
    tables = [ad.read_h5ad(mixed / "st" / f"DEMO{number}.h5ad") for number in (1, 2, 3)]
    assert [table.n_vars for table in tables] == [301, 100, 227]
    assert len(tables[0]) == len(tables[1]) > 3 * len(tables[2])
    visium = digests(mixed)["st/DEMO1.h5ad"]
    assert visium == digests(demo)["st/DEMO1.h5ad"]
    of_one_place = tables[2][:, "DEMO-R003"].to_df().squeeze()
    everything = simulate_section(3, 2, 2, SMALL["spots_per_side"])
    whole = pd.Series(
        everything.counts[:, everything.names.index("DEMO-R003")].toarray().ravel(),
        [
            f"{r:03d}x{c:03d}"
            for r, c in zip(everything.spots.row, everything.spots.col, strict=True)
        ],
    )
    assert (whole[of_one_place.index] == of_one_place).all()
    sections = [DemoReader(str(mixed), generate=False).read(f"DEMO{n}") for n in (1, 2, 3)]
    assert [section.pitch_um for section in sections] == [100, 100, 200]
