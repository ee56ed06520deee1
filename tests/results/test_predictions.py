"""A test section in one file, by the keys that scanpy and squidpy look for."""

from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from hespotex.common.hdf5 import open_hdf5
from hespotex.results.slide.evidence import COLUMNS
from hespotex.results.tables.final import read_final_genes
from hespotex.sections.section import place_on_array
from hespotex.summary import summarise


@pytest.fixture
def table(ridge_run: Path) -> ad.AnnData:
    return ad.read_h5ad(ridge_run / "predictions" / "DEMO1_predicted.h5ad")


def test_predicted_and_measured_stand_side_by_side(ridge_run: Path, table: ad.AnnData) -> None:
    """Their correlation is the one that the run tells of each gene."""
    assert not list((ridge_run / "predictions").glob("*_measured*"))
    measured = table.layers["measured"]
    assert measured.shape == table.shape and measured.dtype == np.float32
    told = pd.read_csv(ridge_run / "per_gene.csv").set_index(["section_id", "gene"])["pcc"]
    for i, gene in enumerate(table.var_names):
        r = told["DEMO1", gene]
        assert table.var.loc[gene, "pcc"] == pytest.approx(r, nan_ok=True, rel=1e-5)
        if np.isfinite(r):
            assert np.corrcoef(table.X[:, i], measured[:, i])[0, 1] == pytest.approx(r, abs=1e-4)


def test_names_and_columns(table: ad.AnnData, small_demo: Path) -> None:
    assert table.obs_names.is_unique and table.var_names.is_unique
    assert set(table.obs["section"]) == {"DEMO1"} and set(table.obs["patient"]) == {"P1"}
    assert (table.obs["in_tissue"] == 1).all()
    source = ad.read_h5ad(small_demo / "st" / "DEMO1.h5ad").obs.loc[table.obs_names]
    for name in ("array_row", "array_col"):
        np.testing.assert_array_equal(table.obs[name], source[name])
    assert {"model", "unit", "fold_strategy"} <= set(table.uns["hespotex"])


def test_keys_of_spatial_plots(table: ad.AnnData) -> None:
    """What `squidpy.pl.spatial_scatter(table, library_key="library_id")` and `scanpy.pl.spatial`
    read: a categorical column whose values are the libraries, positions in px of full resolution,
    and a picture with its scale.
    """
    libraries = table.obs["library_id"]
    assert isinstance(libraries.dtype, pd.CategoricalDtype)
    assert set(libraries.cat.categories) == set(table.uns["spatial"])
    assert table.obsm["spatial"].shape == (table.n_obs, 2)
    for library in table.uns["spatial"].values():
        picture = library["images"]["hires"]
        scale = library["scalefactors"]["tissue_hires_scalef"]
        assert picture.ndim == 3 and library["scalefactors"]["spot_diameter_fullres"] > 0
        inside = table.obsm["spatial"] * scale
        assert (inside >= 0).all() and (inside < picture.shape[1::-1]).all()


def test_older_readers_know_its_strings(ridge_run: Path) -> None:
    with open_hdf5(ridge_run / "predictions" / "DEMO1_predicted.h5ad") as file:
        assert file["obs/patient"].attrs["encoding-type"] == "categorical"
        assert file["obs/patient/categories"].attrs["encoding-type"] == "string-array"


@pytest.mark.parametrize("rows", [[1, 2, np.nan], ["a", "b", "c"], [1, 2, np.inf]])
def test_places_that_are_not_known_of_every_spot_are_left_out(rows: list[object]) -> None:
    adata = ad.AnnData(np.zeros((3, 1)))
    place_on_array(adata, pd.DataFrame({"array_row": rows, "array_col": [1, 2, 3]}))
    place_on_array(adata, pd.DataFrame({"array_row": [1, 2, 3]}))
    assert adata.obs.columns.empty
    place_on_array(adata, pd.DataFrame({"array_row": ["4", "5", "6"], "array_col": [1.0, 2, 3]}))
    assert adata.obs["array_row"].tolist() == [4, 5, 6]


def test_summary_adds_what_the_genes_have_earned_over_all_folds(finalized: Path) -> None:
    """As the model on all sections has it; the section's own PCC and the expression stay."""
    files = sorted(finalized.glob("[0-9]/predictions/*.h5ad"))
    before = {file: ad.read_h5ad(file) for file in files}
    summarise(finalized)
    genes = read_final_genes(finalized / "final" / "ridge")
    for file, old in before.items():
        new = ad.read_h5ad(file)
        np.testing.assert_array_equal(new.X, old.X)
        np.testing.assert_array_equal(new.layers["measured"], old.layers["measured"])
        np.testing.assert_array_equal(new.var["pcc"], old.var["pcc"])
        assert set(new.var["panel"]) == {"HighlyVariableGenes"}
        known = [gene for gene in new.var_names if gene in genes.index]
        assert len(known) > 20
        for column, name in COLUMNS.items():
            if name in ("found", "scored"):
                assert new.var[name].dtype == bool
                expected = genes.loc[known, column].astype(str).eq("True")
                assert list(new.var.loc[known, name]) == list(expected)
            else:
                expected = genes.loc[known, column].astype(float)
                np.testing.assert_allclose(new.var.loc[known, name], expected, rtol=1e-5)
    stamps = [file.stat().st_mtime_ns for file in files]
    summarise(finalized)
    assert stamps == [file.stat().st_mtime_ns for file in files]


def test_a_torn_table_is_named_and_the_others_are_done(
    finalized: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = sorted(finalized.glob("[0-9]/predictions/*.h5ad"))[:2]
    first.write_bytes(b"torn")
    summarise(finalized)
    assert f"{first}: its genes have no scores" in caplog.text and first.read_bytes() == b"torn"
    assert "test_pcc" in ad.read_h5ad(second).var
