"""predict.py measured=FILE: measured spots of the slide itself beside its image."""

import json
import shutil
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from builders.visium import write_matrix
from conftest import compose_config
from scipy import sparse

from hespotex.common.errors import InputError
from hespotex.common.failures import read_failed
from hespotex.prediction.inference import predict
from hespotex.prediction.measured.informed import LABEL, LABEL_SERIAL

BARE = ["viewer_mb=null", "flat=null", "qupath=false"]
SLIDE = "DEMO1"


class Predict:
    """predict.py of one demo slide, in this process."""

    def __init__(self, run: Path, demo: Path, store: Path, folder: Path) -> None:
        self.run = run
        self.demo = demo
        self.store = store
        self.folder = folder
        self.image = demo / "wsis" / f"{SLIDE}.tif"
        self.spots = demo / "st" / f"{SLIDE}.h5ad"

    def __call__(self, *words: str, name: str = "out") -> ad.AnnData:
        common = [f"checkpoint={self.run}", f"slides={self.image}", f"paths.store={self.store}"]
        output = self.folder / name
        config = compose_config(
            "predict", [*common, f"output={output}", *BARE, *words], self.folder
        )
        predict(config)
        return ad.read_h5ad(output / f"{SLIDE}.h5ad")

    def refused(self, *words: str) -> str:
        """The reason for which the slide fails, with nothing written."""
        with pytest.raises(InputError):
            self(*words, name="refused")
        assert not list((self.folder / "refused").glob("*.h5ad"))
        assert not list((self.folder / "refused").rglob("*.part*"))
        return str(read_failed(self.folder / "refused")[SLIDE])


@pytest.fixture
def go(ridge_run: Path, small_demo: Path, store: Path, tmp_path: Path) -> Predict:
    return Predict(ridge_run, small_demo, store, tmp_path)


def genes_of(go: Predict) -> list[str]:
    return [str(gene) for gene in go(f"positions={go.spots}", name="genes").var_names]


def planted(go: Predict, path: Path, pick: slice = slice(None)) -> ad.AnnData:
    """The slide's spots with ten genes that are full on the left and empty on the right; no
    image tells that.
    """
    table = ad.read_h5ad(go.spots)
    genes = genes_of(go)[:10]
    counts = sparse.csr_matrix(table.X).toarray()
    left = table.obsm["spatial"][:, 0] < np.median(table.obsm["spatial"][:, 0])
    counts[:, table.var_names.get_indexer(genes)] = np.where(left, 200, 0)[:, None]
    table.X = sparse.csr_matrix(counts)
    table = table[pick].copy()
    table.write_h5ad(path)
    return table


def test_measured_spots_put_the_prediction_right_around_them(go: Predict, tmp_path: Path) -> None:
    table = planted(go, tmp_path / "spots.h5ad")
    left = table.obsm["spatial"][:, 0] < np.median(table.obsm["spatial"][:, 0])
    words = [f"positions={go.spots}"]
    image = go(*words, name="image")
    both = go(*words, f"measured={tmp_path}/spots.h5ad", name="both")
    genes = list(both.var_names[:10])
    assert list(both.obs_names) == list(image.obs_names)
    step = [found[left, genes].X.mean() - found[~left, genes].X.mean() for found in (image, both)]
    assert step[1] > step[0] + 1
    assert np.isfinite(both.layers["standard_error"]).all()
    assert (both.layers["standard_error"] > 0).all()
    assert both.obs["informed"].between(0, 1).all() and both.obs["informed"].max() > 0.3
    facts = json.loads(both.uns["hespotex"]["measured"])
    assert facts["label"] == LABEL
    used = [one for one in facts["programmes"] if one["used"]]
    assert used and max(one["left_out_error_less"] for one in used) > 0.3
    assert f"{len(table)} measured spots of spots.h5ad" in (tmp_path / "both/run.txt").read_text()
    assert "standard_error" not in image.layers and "informed" not in image.obs


def test_on_any_grid_and_the_same_each_time(go: Predict, tmp_path: Path) -> None:
    planted(go, tmp_path / "spots.h5ad", slice(0, None, 2))
    words = [f"measured={tmp_path}/spots.h5ad", "pitch_um=60"]
    one = go(*words, name="one")
    two = go(*words, name="two")
    assert len(one) > len(ad.read_h5ad(go.spots))
    np.testing.assert_array_equal(one.X, two.X)
    np.testing.assert_array_equal(one.layers["standard_error"], two.layers["standard_error"])


def test_genes_that_were_not_measured_stay_the_images(go: Predict, tmp_path: Path) -> None:
    table = planted(go, tmp_path / "all.h5ad")
    genes = genes_of(go)
    few = table[:, [gene for gene in table.var_names if gene not in genes[20:]]].copy()
    few.write_h5ad(tmp_path / "few.h5ad")
    image = go(f"positions={go.spots}", name="image")
    both = go(f"positions={go.spots}", f"measured={tmp_path}/few.h5ad", name="both")
    np.testing.assert_array_equal(both[:, genes[20:]].X, image[:, genes[20:]].X)
    error = both.layers["standard_error"]
    assert np.isnan(error[:, 20:]).all() and np.isfinite(error[:, :20]).all()


def test_spots_that_the_image_knows_nothing_of(
    go: Predict, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    table = ad.read_h5ad(go.spots)
    order = np.random.default_rng(0).permutation(len(table))
    table.X = sparse.csr_matrix(sparse.csr_matrix(table.X).toarray()[order])
    table.write_h5ad(tmp_path / "other.h5ad")
    words = [f"positions={go.spots}", f"measured={tmp_path}/other.h5ad"]
    assert "does not agree with these spots" in go.refused(*words)
    go(*words, "check_frame=false")
    assert "does not agree with these spots" in caplog.text


def test_another_file_is_another_request(go: Predict, tmp_path: Path) -> None:
    planted(go, tmp_path / "spots.h5ad")
    words = [f"positions={go.spots}"]
    image = go(*words)
    both = go(*words, f"measured={tmp_path}/spots.h5ad")
    again = go(*words)
    assert not np.array_equal(image.X, both.X)
    np.testing.assert_array_equal(image.X, again.X)


def test_a_space_ranger_folder_says_what_the_h5ad_says(go: Predict, tmp_path: Path) -> None:
    table = planted(go, tmp_path / "spots.h5ad")
    outs = tmp_path / "outs"
    (outs / "spatial").mkdir(parents=True)
    names = [str(name) for name in table.obs_names]
    counts = sparse.csr_matrix(table.X).toarray()
    write_matrix(outs / "filtered_feature_bc_matrix.h5", counts, names, list(table.var_names))
    x, y = table.obsm["spatial"].T
    rows = pd.DataFrame({"barcode": names, "in_tissue": 1, "array_row": 0, "array_col": 0})
    rows = rows.assign(pxl_row_in_fullres=y, pxl_col_in_fullres=x)
    rows.to_csv(outs / "spatial" / "tissue_positions.csv", index=False)
    scale = json.dumps({"tissue_hires_scalef": 1.0, "spot_diameter_fullres": 55.0})
    (outs / "spatial" / "scalefactors_json.json").write_text(scale)
    one = go(f"positions={go.spots}", f"measured={tmp_path}/spots.h5ad", name="one")
    two = go(f"positions={go.spots}", f"measured={outs}", name="two")
    np.testing.assert_allclose(one.X, two.X, atol=1e-4)


class TestWhatIsRefused:
    def test_positions_of_a_smaller_picture(self, go: Predict, tmp_path: Path) -> None:
        table = ad.read_h5ad(go.spots)
        table.obsm["spatial"] = table.obsm["spatial"] * 0.1
        table.write_h5ad(tmp_path / "hires.h5ad")
        reason = go.refused(f"measured={tmp_path}/hires.h5ad")
        assert "full-resolution image" in reason and "check_frame=false" in reason

    def test_a_picture_of_another_slide(self, go: Predict, tmp_path: Path) -> None:
        table = ad.read_h5ad(go.spots)
        spatial = dict(table.uns["spatial"])
        name, library = next(iter(spatial.items()))
        flipped = np.random.default_rng(0).integers(0, 255, (200, 200, 3)).astype(np.uint8)
        images = {"hires": flipped}
        table.uns["spatial"] = {name: dict(library) | {"images": images}}
        table.write_h5ad(tmp_path / "other.h5ad")
        reason = go.refused(f"measured={tmp_path}/other.h5ad")
        assert f"is not of the slide {SLIDE}" in reason

    def test_few_spots(self, go: Predict, tmp_path: Path) -> None:
        ad.read_h5ad(go.spots)[:3].copy().write_h5ad(tmp_path / "few.h5ad")
        reason = go.refused(f"measured={tmp_path}/few.h5ad", "check_frame=false")
        assert "expected at least 8 measured spots, found 3" in reason

    def test_no_shared_gene(self, go: Predict, tmp_path: Path) -> None:
        table = ad.read_h5ad(go.spots)
        table.var_names = [f"OTHER{i}" for i in range(table.n_vars)]
        table.write_h5ad(tmp_path / "other.h5ad")
        reason = go.refused(f"measured={tmp_path}/other.h5ad")
        assert "none of its genes (such as ['OTHER0'" in reason

    def test_no_counts(self, go: Predict, tmp_path: Path) -> None:
        table = ad.read_h5ad(go.spots)
        table.X = sparse.csr_matrix(table.X).log1p()
        table.write_h5ad(tmp_path / "log.h5ad")
        assert "counts" in go.refused(f"measured={tmp_path}/log.h5ad")

    @pytest.mark.parametrize(
        ("name", "says"),
        [("absent.h5ad", "found nothing"), ("spots.csv", "found another kind of file")],
    )
    def test_no_such_file(self, go: Predict, tmp_path: Path, name: str, says: str) -> None:
        (tmp_path / "spots.csv").write_text("x,y\n1,2\n")
        assert says in go.refused(f"measured={tmp_path}/{name}")

    def test_an_empty_folder(self, go: Predict, tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()
        assert "filtered_feature_bc_matrix" in go.refused(f"measured={tmp_path}/empty")

    def test_several_slides(self, go: Predict) -> None:
        with pytest.raises(InputError, match="holds spots of one slide, but"):
            go(f"slides={go.demo}/wsis/*.tif", f"measured={go.spots}")


def test_spots_of_a_serial_section_are_carried_over(go: Predict, tmp_path: Path) -> None:
    """The same picture as a section of its own: each spot finds its place again."""
    planted(go, tmp_path / "spots.h5ad")
    shutil.copy(go.image, tmp_path / "next.tif")
    words = [f"positions={go.spots}", f"measured={tmp_path}/spots.h5ad"]
    own = go(*words, name="own")
    carried = go(*words, f"measured_image={tmp_path}/next.tif", name="carried")
    genes = list(own.var_names[:10])
    r = np.corrcoef(own[:, genes].X.ravel(), carried[:, genes].X.ravel())[0, 1]
    assert r > 0.95
    facts = json.loads(carried.uns["hespotex"]["measured"])
    assert facts["label"] == LABEL_SERIAL and facts["agreement"] > 0.9
    said = (tmp_path / "carried" / "run.txt").read_text()
    assert "carried over from the serial section next.tif" in said
    assert "carried over" in str(carried.uns["hespotex"]["given"])


def test_a_serial_image_without_its_spots(go: Predict, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"measured_image=.* give its measured spots too"):
        go(f"measured_image={go.image}")
    with pytest.raises(InputError):
        go(f"measured={go.spots}", f"measured_image={tmp_path}/absent.tif", name="refused")
    assert "expected the image of a serial section" in str(read_failed(tmp_path / "refused")[SLIDE])
