"""What is written of a slide is what was predicted, in forms that other tools read."""

import json
import sys
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy.stats import zscore

from hespotex.common.errors import InputError
from hespotex.common.files import safe_name
from hespotex.results.slide import flat
from hespotex.results.slide.gene_sets import read_gmt, score_gene_sets
from hespotex.results.slide.qupath import write_spots, write_tissue
from hespotex.results.slide.spatial import write_spatialdata
from hespotex.results.slide.table import by_variance
from hespotex.results.slide.write import write_slide
from hespotex.sections.section import Section
from hespotex.sections.tissue import Tissue, read_tissue

from .conftest import GENES, HOSTILE


class TestFlat:
    @pytest.mark.parametrize("kind", ["csv", "parquet"])
    def test_every_number_is_there(
        self, table: ad.AnnData, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(flat, "ROWS", 50)  # several chunks, the last one short
        path = tmp_path / f"spots.{kind}"
        flat.write_flat(table, path)
        read = pd.read_csv(path) if kind == "csv" else pd.read_parquet(path)
        left = ["spot", "x_px", "y_px", "x_um", "y_um", "unit", "tissue_fraction", "nuclei", "note"]
        assert set(read["unit"]) == {table.uns["hespotex"]["unit"]}
        assert list(read) == [*left, "set:SIDE/ONE", "set:NOISE", *GENES]
        assert list(read["spot"]) == list(table.obs_names) and list(read["nuclei"]) == list(
            table.obs["nuclei"]
        )
        np.testing.assert_allclose(read[["x_px", "y_px"]], table.obsm["spatial"], rtol=1e-5)
        np.testing.assert_allclose(read[["x_um", "y_um"]], table.obsm["spatial"] * 4, rtol=1e-3)
        np.testing.assert_allclose(read[GENES], table.X, rtol=1e-5)

    def test_a_failure_leaves_nothing(
        self, table: ad.AnnData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "spots.csv").write_text("old")

        def fails(*_: Any, **__: Any) -> None:
            raise OSError("disk full")

        monkeypatch.setattr(pd.DataFrame, "to_csv", fails)
        with pytest.raises(OSError, match="disk full"):
            flat.write_flat(table, tmp_path / "spots.csv")
        assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]

    def test_other_kinds_are_refused(self, table: ad.AnnData, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="csv or parquet, got xlsx"):
            flat.write_flat(table, tmp_path / "spots.xlsx")


class TestQuPath:
    def test_spots_are_round_detections_with_measurements(
        self, table: ad.AnnData, tmp_path: Path
    ) -> None:
        table.X[3, 0] = np.nan
        write_spots(table, ["LEFT", HOSTILE], tmp_path / "spots.geojson")
        content = json.loads((tmp_path / "spots.geojson").read_text())
        assert content["type"] == "FeatureCollection" and len(content["features"]) == table.n_obs
        for i, feature in enumerate(content["features"]):
            assert feature["type"] == "Feature" and feature["geometry"]["type"] == "Polygon"
            (ring,) = feature["geometry"]["coordinates"]
            assert ring[0] == ring[-1] and len(ring) == 17
            distance = np.linalg.norm(np.array(ring) - table.obsm["spatial"][i], axis=1)
            np.testing.assert_allclose(distance, 55 / 2 / 4, atol=0.1)  # um over um per px
            facts = feature["properties"]
            assert facts["objectType"] == "detection" and facts["name"] == table.obs_names[i]
            names = {"LEFT", HOSTILE, "SIDE/ONE", "NOISE", "tissue_fraction", "nuclei"}
            assert set(facts["measurements"]) == (names - {"LEFT"} if i == 3 else names)
            assert facts["measurements"][HOSTILE] == pytest.approx(table.X[i, 2], rel=1e-5)
            assert facts["measurements"]["nuclei"] == table.obs["nuclei"].iloc[i]

    @pytest.mark.parametrize(
        ("drawn", "asked", "told"),
        [
            (["LEFT"], ["LEFT", "FLAT"], ["LEFT"]),
            ([], [], ["NOISE1", "FLAT"]),  # those that were found, the best first
            ([], ["LEFT", "FLAT"], ["FLAT", "LEFT"]),  # found or not: they were asked for
        ],
    )
    def test_which_genes_it_gets(
        self,
        table: ad.AnnData,
        section: Section,
        tissue: Tissue,
        tmp_path: Path,
        drawn: list[str],
        asked: list[str],
        told: list[str],
    ) -> None:
        def written() -> list[str]:
            options: dict[str, Any] = {"viewer_mb": None, "asked": asked}
            write_slide(table, section, tissue, drawn, tmp_path, **options)
            (path,) = tmp_path.glob("*_spots.geojson")
            first = json.loads(path.read_text())["features"][0]["properties"]["measurements"]
            return [name for name in first if name in GENES]

        assert written() == (drawn or asked)  # nothing says which are predicted best
        table.var["test_pcc"] = [0.2, 0.3, 0.9, 0.4, 0.1]
        table.var["found"] = [False, True, False, True, False]
        table.var[["scored", "test_sections", "low", "high", "q"]] = [True, 4, 0.1, 0.9, 0.01]
        assert written() == told

    def test_tissue_reads_back_as_a_mask(
        self, section: Section, tissue: Tissue, tmp_path: Path
    ) -> None:
        write_tissue(tissue, tmp_path / "tissue.geojson")
        (feature,) = json.loads((tmp_path / "tissue.geojson").read_text())["features"]
        assert feature["properties"]["objectType"] == "annotation"
        again = read_tissue(tmp_path / "tissue.geojson", (640, 480))
        share = tissue.fraction(section.pos_px, 25.0) - again.fraction(section.pos_px, 25.0)
        assert np.abs(share).mean() < 0.02
        assert again.area_mm2(4.0) == pytest.approx(tissue.area_mm2(4.0), rel=0.03)


class TestGeneSets:
    def test_score_is_the_mean_of_z_scores(self, table: ad.AnnData) -> None:
        facts = table.uns["gene_sets"]
        assert list(facts["names"]) == ["SIDE/ONE", "NOISE"]  # NOTHING has no gene here
        assert list(facts["present"]) == [2, 2] and list(facts["missing"]) == [1, 0]
        left = zscore(table.X[:, 0].astype(float))
        # a constant gene scores 0
        np.testing.assert_allclose(table.obsm["gene_sets"][:, 0], left / 2, atol=1e-4)
        np.testing.assert_allclose(
            table.obsm["gene_sets"][:, 1],
            zscore(table.X[:, 3:].astype(float)).mean(axis=1),
            atol=1e-4,
        )

    def test_of_another_kind(self, table: ad.AnnData) -> None:
        with pytest.raises(
            InputError, match=r"no gene of the sets A, B\.\.\. is predicted; .* such as LEFT, FLAT"
        ):
            score_gene_sets(table, {"A": ["ENSG1"], "B": ["ENSG2"]})

    def test_gmt(self, tmp_path: Path) -> None:
        path = tmp_path / "sets.gmt"
        path.write_text("\ufeffONE\tabout\tA\tB\tA\t\r\n\nTWO\t\tC \n", encoding="utf-8")
        assert read_gmt(path) == {"ONE": ["A", "B"], "TWO": ["C"]}

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("ONE\tabout\tA\nTWO\tB\n", r"line 2: expected NAME, DESCRIPTION and genes with tabs"),
            ("ONE,about,A", r"line 1: expected NAME"),
            ("ONE\t\tA\nONE\t\tB", r"line 2: the set ONE is there already"),
            ("\n\n", r"the file is empty"),
        ],
    )
    def test_broken_gmt(self, tmp_path: Path, text: str, message: str) -> None:
        (tmp_path / "sets.gmt").write_text(text)
        with pytest.raises(InputError, match=message):
            read_gmt(tmp_path / "sets.gmt")

    def test_no_gmt(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=r"gene sets not found: .*; set gene_sets=FILE.gmt"):
            read_gmt(tmp_path / "x.gmt")


class TestSpatialData:
    def test_without_the_package(
        self, table: ad.AnnData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "spatialdata", None)
        with pytest.raises(InputError, match=r"run `pip install spatialdata`"):
            write_spatialdata(table, tmp_path / "s.zarr")
        assert not list(tmp_path.iterdir())

    def test_read_back(self, table: ad.AnnData, tmp_path: Path) -> None:
        spatialdata = pytest.importorskip("spatialdata")
        for _ in range(2):  # the second one takes the place of the first
            write_spatialdata(table, tmp_path / "s.zarr")
        assert [path.name for path in tmp_path.iterdir()] == ["s.zarr"]
        read = spatialdata.read_zarr(tmp_path / "s.zarr")
        np.testing.assert_allclose(read["table"].X, table.X)
        np.testing.assert_allclose(read["table"].layers["fold_std"], table.layers["fold_std"])
        circles = read["spots"]
        np.testing.assert_allclose(circles.geometry.x, table.obsm["spatial"][:, 0])
        assert circles.radius.iloc[0] == pytest.approx(55 / 2 / 4, rel=1e-3)
        extent = spatialdata.get_extent(read["thumbnail"])
        assert extent["x"] == pytest.approx((0, 640)) and extent["y"] == pytest.approx((0, 480))


@pytest.mark.parametrize("everything", [True, False])
def test_files_of_a_slide(
    table: ad.AnnData, section: Section, tissue: Tissue, tmp_path: Path, everything: bool
) -> None:
    options: dict[str, Any] = {} if everything else {"qupath": False, "viewer_mb": None}
    write_slide(
        table, section, tissue, ["LEFT"], tmp_path, flat="csv" if everything else None, **options
    )
    name = safe_name(section.section_id)
    maps = {
        f"maps/{name}_{one}.png" for one in ("LEFT", f"set_{safe_name('SIDE/ONE')}", "set_NOISE")
    }
    files = {f"{name}{end}" for end in (".h5ad", "_tissue.png", "_tissue.geojson")} | maps
    more = {f"{name}{end}" for end in ("_spots.csv", "_spots.geojson", ".html")}
    found = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert found == (files | more if everything else files)
    read = ad.read_h5ad(tmp_path / f"{name}.h5ad")
    np.testing.assert_array_equal(read.X, table.X)
    np.testing.assert_array_equal(read.layers["fold_std"], np.float32(0.1) * table.X)
    assert list(read.obs) == ["tissue_fraction", "nuclei", "note"] and list(
        read.uns["gene_sets"]["missing"]
    ) == [1, 0]
    np.testing.assert_array_equal(read.obsm["spatial"], section.pos_px)
    library = read.uns["spatial"][name]
    assert (
        library["images"]["hires"].shape == (480, 640, 3)
        and library["scalefactors"]["microns_per_pixel"] == section.mpp
    )


def test_genes_by_variance(table: ad.AnnData) -> None:
    assert by_variance(table) == ["LEFT", HOSTILE, "NOISE1", "NOISE2", "FLAT"]
