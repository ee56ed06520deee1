"""Slides without expression: what is written, what is refused, and that no slide gets another's
numbers.
"""

import json
import logging
import shutil
from pathlib import Path

import anndata as ad
import cv2
import numpy as np
import pandas as pd
import pytest
import tifffile
import torch
from builders.slides import write_slide
from conftest import Run, compose_config
from numpy.typing import NDArray

from hespotex.common.errors import InputError
from hespotex.common.failures import Failure, note_outcome, read_failed
from hespotex.prediction.inference import predict
from hespotex.records.checkpoint import read_checkpoint
from hespotex.records.layout import BEST
from hespotex.results.slide.evidence import COLUMNS
from hespotex.results.slide.request import facts_of
from hespotex.results.slide.trust import Trust
from hespotex.results.tables.final import read_final_genes

MPP = 0.7  # um per px of the demo
RIDGE = ["model=ridge", "data.panel.n_top=40"]
BARE = ["viewer_mb=null", "flat=null", "qupath=false"]  # what most tests do not look at


class Commands:
    """predict.py in this process."""

    def __init__(self, store: Path, folder: Path) -> None:
        self.store = store
        self.folder = folder

    def __call__(
        self,
        checkpoint: object,
        slides: object,
        *words: str,
        name: str = "out",
        outputs: bool = False,
    ) -> Path:
        output = self.folder / name
        common = [
            f"checkpoint={checkpoint}",
            f"slides={slides}",
            f"output={output}",
            f"paths.store={self.store}",
        ]
        predict(
            compose_config("predict", [*common, *([] if outputs else BARE), *words], self.folder)
        )
        return output


@pytest.fixture
def go(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    return Commands(store, tmp_path)


@pytest.fixture
def bare(small_demo: Path) -> Path:
    return small_demo / "slides" / "bare.tif"


@pytest.fixture
def folds(train: Run, tmp_path: Path) -> Path:
    """A sweep of two folds."""
    sweep = tmp_path / "sweep"
    sweep.mkdir()
    for i in range(2):
        train(*RIDGE, f"fold.index={i}", folder=sweep / str(i))
    return sweep


def pixels(path: Path) -> NDArray[np.uint8]:
    return np.asarray(tifffile.imread(path, level=0))


def one_spot(folder: Path, bare: Path) -> Path:
    path = folder / "spot.csv"
    height, width = pixels(bare).shape[:2]
    path.write_text(f"x,y\n{width / 2},{height / 2}\n")
    return path


class TestOutputs:
    def test_a_good_run_writes_all(
        self, ridge_run: Path, bare: Path, go: Commands, tmp_path: Path
    ) -> None:
        scores = pd.read_csv(ridge_run / "per_gene.csv").dropna(subset="pcc")
        first, second = scores["gene"].unique()[:2]
        (tmp_path / "sets.gmt").write_text(f"PAIR\tx\t{first}\t{second}\tABSENT\nNONE\tx\tABSENT\n")
        words = [f"gene_sets={tmp_path}/sets.gmt", f"map_genes=[{first}]"]
        out = go(ridge_run, bare, *words, outputs=True)
        names = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
        assert names == {
            "bare.h5ad",
            "bare.html",
            "bare_tissue.png",
            "bare_tissue.geojson",
            "bare_spots.geojson",
            "bare_spots.parquet",
            f"maps/bare_{first}.png",
            "maps/bare_set_PAIR.png",
            "index.html",
            "run.txt",
        }
        table = ad.read_h5ad(out / "bare.h5ad")
        page = (out / "bare.html").read_text(encoding="utf-8")
        assert "Levels between slides are not predicted" in page
        unit = table.uns["hespotex"]["unit"]
        assert f"values are {unit}" in (out / "run.txt").read_text() and unit in page
        assert {"tissue_fraction", "strangeness"} <= set(table.obs)
        assert np.isfinite(table.X).all() and table.n_vars == 40 and "fold_std" not in table.layers
        assert table.uns["hespotex"]["model"] == "ridge" and table.obsm["gene_sets"].shape == (
            table.n_obs,
            1,
        )
        assert table.uns["spatial"]["bare"]["scalefactors"]["microns_per_pixel"] == pytest.approx(
            MPP, rel=1e-3
        )
        mean = scores.groupby("gene")["pcc"].mean()
        np.testing.assert_allclose(table.var["test_pcc"][mean.index], mean, rtol=1e-6)
        assert (table.var["test_sections"][mean.index] == 2).all()
        flat = pd.read_parquet(out / "bare_spots.parquet").set_index("spot")
        np.testing.assert_allclose(flat[list(table.var_names)], table.X, rtol=1e-6)

    def test_measured_spots_without_counts_get_the_runs_own_prediction(
        self, ridge_run: Path, small_demo: Path, go: Commands
    ) -> None:
        words = [f"positions={small_demo}/st/DEMO1.h5ad", "context=positions"]
        out = go(ridge_run, small_demo / "wsis" / "DEMO1.tif", *words)
        found = ad.read_h5ad(out / "DEMO1.h5ad")
        expected = ad.read_h5ad(ridge_run / "predictions" / "DEMO1_predicted.h5ad")
        assert list(found.obs_names) == list(expected.obs_names)
        np.testing.assert_allclose(found[:, expected.var_names].X, expected.X, atol=1e-5)

    def test_genes_restrict_all_outputs(self, ridge_run: Path, bare: Path, go: Commands) -> None:
        everything = ad.read_h5ad(go(ridge_run, bare) / "bare.h5ad")
        wanted = [str(everything.var_names[7]), str(everything.var_names[2])]
        out = go(ridge_run, bare, f"genes=[{','.join(wanted)}]", "flat=csv", name="few")
        table = ad.read_h5ad(out / "bare.h5ad")
        assert list(table.var_names) == wanted
        np.testing.assert_array_equal(table.X, everything[:, wanted].X)
        assert [
            c for c in pd.read_csv(out / "bare_spots.csv") if c in everything.var_names
        ] == wanted
        with pytest.raises(InputError, match=r"genes: .*NOPE"):
            go(ridge_run, bare, "genes=[NOPE]", name="none")

    @pytest.mark.parametrize("key", ["genes", "map_genes"])
    def test_an_unknown_gene_is_refused_with_the_near_ones(
        self, ridge_run: Path, bare: Path, go: Commands, key: str, tmp_path: Path
    ) -> None:
        gene = read_checkpoint(ridge_run / BEST)["hespotex"]["genes"][0]
        with pytest.raises(InputError, match=rf"^{key}: .*{gene.lower()} \(near: {gene}\b"):
            go(ridge_run, bare, f"{key}=[{gene.lower()}]", name="near")
        assert not list(tmp_path.rglob("bare*.h5ad"))

    def test_one_spot(
        self,
        ridge_run: Path,
        bare: Path,
        go: Commands,
        tmp_path: Path,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        words = [f"positions={one_spot(tmp_path, bare)}", "context=positions"]
        table = ad.read_h5ad(go(ridge_run, bare, *words, outputs=True) / "bare.h5ad")
        assert table.shape == (1, 40) and np.isfinite(table.X).all()
        assert (
            "bare: 1 spots: embeddings are standardised over the slide's own spots" in caplog.text
        )

    def test_folds_give_their_mean_and_spread(self, folds: Path, bare: Path, go: Commands) -> None:
        single = [
            ad.read_h5ad(go(folds / str(i), bare, name=f"one{i}") / "bare.h5ad") for i in range(2)
        ]
        both = ad.read_h5ad(go(folds, bare, name="both") / "bare.h5ad")
        values = np.stack([table[:, both.var_names].X for table in single])
        assert set(both.var_names) == set(single[0].var_names) & set(single[1].var_names)
        np.testing.assert_allclose(both.X, values.mean(axis=0), atol=1e-5)
        np.testing.assert_allclose(both.layers["fold_std"], values.std(axis=0), atol=1e-4)
        assert both.layers["fold_std"].max() > 0.01
        strange = np.mean([table.obs["strangeness"] for table in single], axis=0)
        np.testing.assert_allclose(both.obs["strangeness"], strange, rtol=1e-5)
        scores = pd.concat([pd.read_csv(folds / str(i) / "per_gene.csv") for i in range(2)]).dropna(
            subset="pcc"
        )
        expected = scores.groupby("gene")["pcc"].agg(["mean", "size"]).reindex(both.var_names)
        np.testing.assert_allclose(both.var["test_pcc"], expected["mean"], rtol=1e-6)
        np.testing.assert_array_equal(both.var["test_sections"], expected["size"])

    def test_a_second_run_skips_what_is_there(
        self, ridge_run: Path, bare: Path, go: Commands, caplog: pytest.LogCaptureFixture
    ) -> None:
        file = go(ridge_run, bare) / "bare.h5ad"
        before = file.stat().st_mtime_ns
        caplog.set_level(logging.INFO)
        go(ridge_run, bare)
        assert file.stat().st_mtime_ns == before and "is there already (restart=true" in caplog.text
        go(ridge_run, bare, "restart=true")
        assert file.stat().st_mtime_ns > before


class TestOfAnotherModel:
    def test_is_not_kept(self, folds: Path, bare: Path, go: Commands) -> None:
        one = ad.read_h5ad(go(folds / "0", bare) / "bare.h5ad")
        with pytest.raises(
            InputError, match=r"bare\.h5ad: predicted by another model .*restart=true"
        ):
            go(folds / "1", bare)
        two = ad.read_h5ad(go(folds / "1", bare, "restart=true") / "bare.h5ad")
        assert one.uns["hespotex"]["checkpoint"] != two.uns["hespotex"]["checkpoint"]
        gene = next(name for name in two.var_names if name in set(one.var_names))
        few = ad.read_h5ad(go(folds / "1", bare, f"genes=[{gene}]") / "bare.h5ad")
        assert list(few.var_names) == [gene]
        with pytest.raises(InputError, match=r"map_genes: .* would be drawn, but genes="):
            go(folds / "1", bare, f"genes=[{gene}]", f"map_genes=[{two.var_names[-1]}]")
        both = ad.read_h5ad(go(folds, bare, name="both") / "bare.h5ad").uns["hespotex"][
            "panel_fitted_on"
        ]
        assert set(both) == {
            *one.uns["hespotex"]["panel_fitted_on"],
            *two.uns["hespotex"]["panel_fitted_on"],
        }

    def test_weights_that_are_no_numbers(
        self, ridge_run: Path, bare: Path, go: Commands, tmp_path: Path
    ) -> None:
        content = torch.load(ridge_run / "checkpoints" / "best.ckpt", weights_only=True)
        for name in ("gene_mean", "linear.weight"):
            state = dict(content["state_dict"])
            state[name] = state[name].clone()
            state[name].view(-1)[0] = torch.nan
            torch.save(content | {"state_dict": state}, tmp_path / "x.ckpt")
            with pytest.raises(InputError, match=rf"not all numbers \(NaN in {name}\)"):
                go(tmp_path / "x.ckpt", bare)


class TestSlidesThatFail:
    @pytest.mark.parametrize("broken", ["empty", "noise", "truncated"])
    def test_a_corrupt_one_is_named_while_the_others_finish(
        self, ridge_run: Path, bare: Path, go: Commands, tmp_path: Path, broken: str
    ) -> None:
        content = bare.read_bytes()
        (tmp_path / "slides").mkdir()
        corrupt = tmp_path / "slides" / "bad.tif"
        middle = len(content) // 2
        corrupt.write_bytes(
            {"empty": b"", "noise": b"II*\0" + bytes(99), "truncated": content[:middle]}[broken]
        )
        for name in ("a", "z"):
            shutil.copy(bare, tmp_path / "slides" / f"{name}.tif")
        with pytest.raises(
            InputError, match=r"1 of 3 slides failed: bad.tif; the reasons are in .*failed.csv"
        ):
            go(ridge_run, tmp_path / "slides" / "*.tif")
        assert sorted(path.name for path in (tmp_path / "out").glob("*.h5ad")) == [
            "a.h5ad",
            "z.h5ad",
        ]
        assert not list((tmp_path / "out").glob("*bad*")) and not list(
            (tmp_path / "out").rglob("*.part*")
        )
        assert "bad.tif" in read_failed(tmp_path / "out")["bad"]
        shutil.copy(bare, corrupt)
        out = go(ridge_run, tmp_path / "slides" / "*.tif")
        assert (out / "bad.h5ad").is_file() and not (out / "failed.csv").exists()

    def test_a_corrupt_tile(
        self, ridge_run: Path, bare: Path, go: Commands, tmp_path: Path
    ) -> None:
        """The header is whole and the overview too: only the px of some patches cannot be had."""
        content = bytearray(bare.read_bytes())
        with tifffile.TiffFile(bare) as tiff:
            offsets = tiff.pages[0].dataoffsets
            sizes = tiff.pages[0].databytecounts
        for offset, size in zip(offsets, sizes, strict=True):
            content[offset : offset + size] = bytes(size)
        path = tmp_path / "bad.tif"
        path.write_bytes(bytes(content))
        with pytest.raises(InputError, match=r"1 of 1 slides failed: bad.tif"):
            go(ridge_run, path)
        assert not list((tmp_path / "out").glob("*.h5ad"))

    def test_a_blank_one(self, ridge_run: Path, go: Commands, tmp_path: Path) -> None:
        path = write_slide(tmp_path / "blank.tif", np.full((480, 640, 3), 243, np.uint8))
        with pytest.raises(InputError, match=r"blank\.tif"):
            go(ridge_run, path)
        assert "no grid position of" in read_failed(tmp_path / "out")["blank"]
        assert {path.name for path in (tmp_path / "out").iterdir()} <= {
            "failed.csv",
            ".failed.lock",
        }

    def test_no_pixel_size(self, ridge_run: Path, bare: Path, go: Commands, tmp_path: Path) -> None:
        cv2.imwrite(str(tmp_path / "photo.png"), pixels(bare)[..., ::-1])
        with pytest.raises(InputError, match=r"photo\.png"):
            go(ridge_run, tmp_path / "photo.png")
        assert "set mpp=UM_PER_PX" in read_failed(tmp_path / "out")["photo"]
        (tmp_path / "list.csv").write_text(f"path,mpp\nphoto.png,{MPP}\n")
        table = ad.read_h5ad(go(ridge_run, tmp_path / "list.csv") / "photo.h5ad")
        same = ad.read_h5ad(
            go(ridge_run, tmp_path / "photo.png", f"mpp={MPP}", name="mpp") / "photo.h5ad"
        )
        np.testing.assert_array_equal(table.X, same.X)
        pyramid = ad.read_h5ad(go(ridge_run, bare, name="tif") / "bare.h5ad")
        np.testing.assert_allclose(table.obsm["spatial"], pyramid.obsm["spatial"], rtol=1e-3)
        # other px: the pyramid has smoothed ones
        assert np.corrcoef(table.X.ravel(), pyramid.X.ravel())[0, 1] > 0.95

    def test_two_of_one_name(
        self, ridge_run: Path, bare: Path, go: Commands, tmp_path: Path
    ) -> None:
        """Neither takes the place of the other."""
        (tmp_path / "other").mkdir()
        shutil.copy(bare, tmp_path / "other" / "bare.tif")
        out = go(ridge_run, f"[{bare},{tmp_path}/other/bare.tif]", "viewer_mb=null")
        names = sorted(path.name for path in out.glob("*.h5ad"))
        assert names == ["other_bare.h5ad", "slides_bare.h5ad"]
        one, two = (ad.read_h5ad(out / name) for name in names)
        np.testing.assert_array_equal(one.X, two.X)


class TestWarnings:
    def test_positions_too_far_apart(
        self, ridge_run: Path, small_demo: Path, go: Commands, caplog: pytest.LogCaptureFixture
    ) -> None:
        go(
            ridge_run,
            small_demo / "wsis" / "DEMO1.tif",
            f"positions={small_demo}/st/DEMO1.h5ad",
            "mpp=1.4",
            "check_mpp=false",
        )
        words = "spots are 200 um apart, and 100 um in the training sections: is mpp right?"
        assert words in caplog.text

    def test_slides_unlike_those_of_training(
        self,
        ridge_run: Path,
        small_demo: Path,
        go: Commands,
        tmp_path: Path,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        slide = small_demo / "wsis" / "DEMO1.tif"
        positions = f"positions={small_demo}/st/DEMO1.h5ad"
        alike = ad.read_h5ad(go(ridge_run, slide, positions) / "DEMO1.h5ad").obs["strangeness"]
        assert (alike < 1).mean() > 0.75 and "look unlike" not in caplog.text
        cv2.imwrite(str(tmp_path / "inverted.png"), 255 - pixels(slide)[..., ::-1])
        words = [f"mpp={MPP}", "check_mpp=false"]
        odd = ad.read_h5ad(
            go(ridge_run, tmp_path / "inverted.png", positions, *words) / "inverted.h5ad"
        )
        assert (odd.obs["strangeness"] > 1).mean() > 0.75
        assert (
            "inverted: " in caplog.text
            and "do not trust these predictions without a check" in caplog.text
        )


class TestTrust:
    def test_of_a_slide_that_trained_the_model(
        self, ridge_run: Path, small_demo: Path, go: Commands, tmp_path: Path
    ) -> None:
        """Known by its file, under any name; a slide of the same name alone is a remark."""
        trained = json.loads((ridge_run / "split.json").read_text())["train"][0]
        slide = small_demo / "wsis" / f"{trained}.tif"
        shutil.copy(slide, tmp_path / "other.tif")
        shutil.copy(small_demo / "slides" / "bare.tif", tmp_path / f"{trained}.tif")
        out = go(ridge_run, f"[{tmp_path}/other.tif,{tmp_path}/{trained}.tif]", outputs=True)
        seen = facts_of(out / "other.h5ad")
        assert seen and list(seen["slide"]["doubts"]) == [
            f"the model was trained on this slide, as section {trained} (image file), and predicts"
            " it better than others"
        ]
        named = facts_of(out / f"{trained}.h5ad")
        assert named and not list(named["slide"]["doubts"])
        assert "a section of this name trained the model" in named["slide"]["remarks"][0]
        text = (out / "run.txt").read_text()
        assert "  other: DO NOT TRUST: the model was trained on this slide" in text
        assert f"  {trained}: a section of this name trained the model" in text

    def test_a_slide_that_was_left_out_is_not_doubted(
        self, ridge_run: Path, small_demo: Path, go: Commands
    ) -> None:
        tested = json.loads((ridge_run / "split.json").read_text())["test"][0]
        out = go(ridge_run, small_demo / "wsis" / f"{tested}.tif")
        facts = facts_of(out / f"{tested}.h5ad")
        assert facts is not None
        trust = Trust.from_dict(facts["slide"])
        assert (trust.doubts, trust.remarks) == ([], []) and trust.unlike_training < 0.25
        assert facts["slide"]["mpp"] == pytest.approx(MPP, rel=1e-3)
        assert facts["slide"]["mpp_source"] == "embedded in the image"
        assert 0.1 < facts["slide"]["tissue_mm2"] < 10

    def test_of_the_final_model_each_gene_says_what_it_has_earned(
        self, finalized: Path, bare: Path, go: Commands
    ) -> None:
        genes = read_final_genes(finalized / "final" / "ridge")
        var = ad.read_h5ad(go(finalized, bare) / "bare.h5ad").var
        for column, name in COLUMNS.items():
            if name in ("found", "scored"):
                assert list(var[name]) == list(genes[column].astype(str) == "True")
            else:
                np.testing.assert_allclose(var[name], genes[column].astype(float))
        assert set(var["panel"]) == {"HighlyVariableGenes"}
        assert 0 < var["scored"].sum() <= len(var) and var["found"].dtype == bool

    def test_a_slide_called_index(
        self, ridge_run: Path, bare: Path, go: Commands, tmp_path: Path
    ) -> None:
        shutil.copy(bare, tmp_path / "Index.tif")
        with pytest.raises(InputError, match=r"Index.tif: its page would be index.html"):
            go(ridge_run, tmp_path / "Index.tif")


class TestRegions:
    @pytest.fixture
    def outlined(self, bare: Path, tmp_path: Path) -> Path:
        """The left and the right half of the slide."""
        height, width = pixels(bare).shape[:2]
        features = []
        for name, left, right in (("Tumor", 0, width / 2), ("Stroma", width / 2, width)):
            ring = [[left, 0], [right, 0], [right, height], [left, height], [left, 0]]
            facts = {"objectType": "annotation", "classification": {"name": name}}
            geometry = {"type": "Polygon", "coordinates": [ring]}
            features.append({"type": "Feature", "geometry": geometry, "properties": facts})
        path = tmp_path / "regions" / "bare.geojson"
        path.parent.mkdir()
        path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
        return path

    def test_means_and_differences(
        self, ridge_run: Path, bare: Path, go: Commands, outlined: Path
    ) -> None:
        out = go(ridge_run, bare, f"regions={outlined}")
        table = ad.read_h5ad(out / "bare.h5ad")
        left = table.obsm["spatial"][:, 0] < pixels(bare).shape[1] / 2
        means = [table.X[side].mean(axis=0) for side in (left, ~left)]
        regions = pd.read_csv(out / "bare_regions.csv").set_index(["region", "gene"])["mean"]
        for name, mean in zip(("Tumor", "Stroma"), means, strict=True):
            np.testing.assert_allclose(regions[name][table.var_names], mean, rtol=1e-4)
        found = pd.read_csv(out / "region_differences.csv").set_index("gene")
        expected = means[1] - means[0]
        np.testing.assert_allclose(
            found["difference"][table.var_names], expected, rtol=1e-3, atol=1e-5
        )
        assert set(found["interval"]) == {"none: one patient"} and found["low"].isna().all()
        before = (out / "bare.h5ad").stat().st_mtime_ns
        go(ridge_run, bare, f"regions={outlined}")
        assert (out / "bare.h5ad").stat().st_mtime_ns == before
        go(ridge_run, bare)  # other words: made anew, without regions
        assert "region" not in ad.read_h5ad(out / "bare.h5ad").obs
        assert not list(out.glob("*region*.csv"))

    def test_of_one_slide_for_two(
        self, ridge_run: Path, bare: Path, go: Commands, outlined: Path, tmp_path: Path
    ) -> None:
        shutil.copy(bare, tmp_path / "other.tif")
        with pytest.raises(InputError, match=r"regions=.* are of one slide, but slides="):
            go(ridge_run, f"[{bare},{tmp_path}/other.tif]", f"regions={outlined}")
        out = go(ridge_run, f"[{bare},{tmp_path}/other.tif]", f"regions={outlined.parent}")
        assert [path.name for path in out.glob("*_regions.csv")] == ["bare_regions.csv"]
        facts = facts_of(out / "other.h5ad")
        assert facts and "no regions" in facts["slide"]["remarks"][0]

    def test_of_two_slides_of_one_name(
        self, ridge_run: Path, bare: Path, go: Commands, outlined: Path, tmp_path: Path
    ) -> None:
        """Each has its own file, by the name that its outputs have."""
        for folder in ("a", "b"):
            (tmp_path / folder).mkdir()
            shutil.copy(bare, tmp_path / folder / "bare.tif")
        shutil.copy(outlined, outlined.with_name("a_bare.geojson"))
        out = go(
            ridge_run,
            f"[{tmp_path}/a/bare.tif,{tmp_path}/b/bare.tif]",
            f"regions={outlined.parent}",
        )
        assert [path.name for path in out.glob("*_regions.csv")] == ["a_bare_regions.csv"]
        facts = facts_of(out / "b_bare.h5ad")
        assert facts and f"no regions: {outlined.parent} has no b_bare" in str(facts["slide"])


class TestShares:
    @pytest.fixture
    def slides(self, bare: Path, tmp_path: Path) -> Path:
        (tmp_path / "slides").mkdir()
        for name in "abc":
            shutil.copy(bare, tmp_path / "slides" / f"{name}.tif")
        return tmp_path / "slides" / "*.tif"

    def test_together_they_are_the_whole(self, ridge_run: Path, slides: Path, go: Commands) -> None:
        made = [
            {
                p.stem
                for p in go(ridge_run, slides, "shards=2", f"shard={i}", name=f"s{i}").glob(
                    "*.h5ad"
                )
            }
            for i in (0, 1)
        ]
        assert made == [{"a", "c"}, {"b"}]

    def test_of_torchrun(
        self, ridge_run: Path, slides: Path, go: Commands, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("WORLD_SIZE", "2")
        monkeypatch.setenv("RANK", "1")
        assert {p.stem for p in go(ridge_run, slides).glob("*.h5ad")} == {"b"}

    def test_of_more_jobs_than_slides(self, ridge_run: Path, bare: Path, go: Commands) -> None:
        assert not go(ridge_run, bare, "shards=3", "shard=2").exists()

    def test_numbers_that_do_not_fit(self, ridge_run: Path, bare: Path, go: Commands) -> None:
        with pytest.raises(InputError, match=r"shard: expected 0 to 1 .shards=2., got 2"):
            go(ridge_run, bare, "shards=2", "shard=2")


def test_failures_of_several_jobs_are_one_table(tmp_path: Path) -> None:
    note_outcome(tmp_path, "b", None)
    assert not list(tmp_path.iterdir())
    note_outcome(tmp_path, "b", Failure("InputError", "torn, twice"))
    note_outcome(tmp_path, "a", Failure("InputError", "blank"))
    note_outcome(tmp_path, "a", Failure("InputError", "still blank"))
    assert read_failed(tmp_path) == {"a": "still blank", "b": "torn, twice"}
    note_outcome(tmp_path, "a", None)
    assert read_failed(tmp_path) == {"b": "torn, twice"}
