"""Cohort tables against numbers worked out by hand."""

import sys
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from conftest import command

from hespotex.cohort import tables
from hespotex.cohorts.bulk import correlations, read_bulk
from hespotex.cohorts.signatures import signature_scores
from hespotex.cohorts.slides import FACTS, pseudobulk
from hespotex.cohorts.survival import c_indices, follow_up_of
from hespotex.common.errors import InputError
from hespotex.common.failures import Failure, note_outcome
from hespotex.results.slide.trust import Trust

OUTLINE = (
    '{"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {}, "geometry":'
    ' {"type": "Polygon", "coordinates": [[[0, 0], [1000, 0], [1000, 500], [0, 500], [0, 0]]]}}]}'
)


def write(
    folder: Path,
    slide: str,
    values: list[list[float]],
    genes: tuple[str, ...] = ("A", "B"),
    unit: str = "log1p",
) -> None:
    """A slide of 2000 x 1000 px at 0.5 um/px as `predict.py` leaves it."""
    table = ad.AnnData(X=np.array(values, dtype=np.float32))
    table.var_names = list(genes)
    table.obs_names = [f"s{i}" for i in range(len(values))]
    factors = {"tissue_hires_scalef": 0.1, "microns_per_pixel": 0.5, "spot_diameter_fullres": 110.0}
    picture = np.zeros((100, 200, 3), np.uint8)
    table.uns["spatial"] = {slide: {"images": {"hires": picture}, "scalefactors": factors}}
    table.uns["hespotex"] = {"unit": unit}
    folder.mkdir(exist_ok=True)
    table.write_h5ad(folder / f"{slide}.h5ad")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two slides of P1, one of P2, one that failed, one that is torn."""
    out = tmp_path / "predicted"
    write(out, "x1", [[0, 1], [2, 3]])
    write(out, "x2", [[3, 6]])
    write(out, "y1", [[5, 2], [7, 2]], ("A", "C"))
    (out / "x1_tissue.geojson").write_text(OUTLINE)
    (out / "torn.h5ad").write_bytes(b"no")
    note_outcome(out, "blank", Failure("InputError", "no tissue"))
    return out


def slides(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "slides.csv"
    path.write_text(text)
    return path


class TestPseudobulk:
    def test_a_row_a_slide(self, folder: Path) -> None:
        table = pseudobulk(folder).set_index("slide")
        assert list(table) == [*FACTS[1:], "A", "B", "C"]
        assert list(table.index) == ["blank", "torn", "x1", "x2", "y1"] and list(
            table["n_spots"]
        ) == [0, 0, 2, 1, 2]
        np.testing.assert_array_equal(
            table.loc[["x1", "x2", "y1"], ["A", "B", "C"]],
            [[1, 2, np.nan], [3, 6, np.nan], [6, np.nan, 2]],
        )
        assert list(table["status"]) == ["failed", "failed", "predicted", "predicted", "predicted"]
        assert (
            table["reason"]["blank"] == "no tissue"
            and "torn.h5ad cannot be read" in table["reason"]["torn"]
        )
        # 1000 x 500 px of 0.5 um
        assert table["tissue_mm2"]["x1"] == pytest.approx(0.125, rel=0.01)
        assert np.isnan(table["tissue_mm2"]["x2"]) and table.loc[
            ["blank", "torn"], ["A", "B", "C"]
        ].isna().all(axis=None)

    def test_levels_that_the_model_cannot_see(
        self, folder: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        pseudobulk(folder)
        assert "standardised" not in caplog.text
        table = ad.read_h5ad(folder / "x1.h5ad")
        table.uns["hespotex"] = {"unit": "log1p", "standardize": "section"}
        table.write_h5ad(folder / "x1.h5ad")
        pseudobulk(folder)
        assert "1 slide: the model sees embeddings standardised within each slide" in caplog.text

    def test_a_slide_that_nobody_should_trust(
        self, folder: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        assert set(pseudobulk(folder)["trust"]) == {""}  # of an older version
        for name, trust in (("x1", Trust(0.9, ["odd"], ["few"])), ("x2", Trust(0.1))):
            table = ad.read_h5ad(folder / f"{name}.h5ad")
            table.uns["hespotex"]["slide"] = trust.to_dict()
            table.write_h5ad(folder / f"{name}.h5ad")
        table = pseudobulk(folder).set_index("slide")
        assert list(table["trust"]) == ["", "", "no", "yes", ""]
        assert table["warnings"]["x1"] == "odd; few" and table["warnings"]["x2"] == ""
        assert table["unlike_training"]["x1"] == 0.9
        assert table["A"]["x1"] == 1  # marked, not taken away
        assert "1 slide not to be trusted without a check" in caplog.text
        assert "x1; leave them out of --slides" in caplog.text

    def test_of_a_list(self, folder: Path) -> None:
        table = pseudobulk(folder, {"x2": "P1", "z": "P9", "blank": "P3"}).set_index("slide")
        assert list(table["patient"]) == ["P3", "P1", "P9"] and list(table["status"]) == [
            "failed",
            "predicted",
            "missing",
        ]
        assert "no z.h5ad among the predictions" in table["reason"]["z"]

    def test_what_cannot_be_one_table(self, folder: Path, tmp_path: Path) -> None:
        write(folder, "odd", [[1, 1]], unit="counts")
        with pytest.raises(
            InputError, match=r"slides of different units.*predict all with one checkpoint"
        ):
            pseudobulk(folder)
        with pytest.raises(InputError, match="no predicted slide"):
            pseudobulk(tmp_path)


def test_gene_sets_that_are_not_there_are_asked_for_by_the_option(folder: Path) -> None:
    with pytest.raises(InputError, match=r"gene sets not found: .*; set --gene-sets=FILE.gmt"):
        tables(folder, gene_sets=folder / "no.gmt")


def test_gene_sets_are_z_scores_over_slides(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    scores = signature_scores(
        pseudobulk(folder), {"AB": ["A", "B", "ABSENT"], "NONE": ["ABSENT"]}
    ).set_index("slide")
    a = np.array([1, 3, 6])
    b = np.array([2, 6])
    za = (a - a.mean()) / a.std()
    zb = (b - b.mean()) / b.std()
    np.testing.assert_allclose(
        scores.loc[["x1", "x2", "y1"], "AB"], [(za[0] + zb[0]) / 2, (za[1] + zb[1]) / 2, za[2]]
    )
    assert (
        scores.loc[["blank", "torn"], "AB"].isna().all()
        and "NONE" not in scores
        and "NONE: no gene" in caplog.text
    )
    with pytest.raises(InputError, match="no gene of the sets NONE is predicted"):
        signature_scores(pseudobulk(folder), {"NONE": ["ABSENT"]})


class TestBulk:
    predicted = pd.DataFrame(
        {"A": [1.0, 2, 3, 4], "B": [1.0, 3, 2, 4], "C": [1.0, 1, 1, 1]},
        index=["p1", "p2", "p3", "p4"],
    )

    @pytest.mark.parametrize("turned", [False, True])
    def test_by_gene_and_patient(self, tmp_path: Path, turned: bool) -> None:
        bulk = pd.DataFrame(
            {"A": [2.0, 4, 6, 8], "B": [4.0, 3, 2, 1], "C": [1.0, 2, 3, 4], "X": 1.0},
            index=["p1", "p2", "p3", "p4"],
        )
        (bulk.T if turned else bulk).to_csv(tmp_path / "bulk.csv")
        read, scale = read_bulk(tmp_path / "bulk.csv", self.predicted.index, self.predicted.columns)
        assert "as given" in scale and list(read) == ["A", "B", "C"]
        genes = correlations(self.predicted, read, "gene").set_index("gene")
        assert genes["pearson"]["A"] == pytest.approx(1) and genes["spearman"][
            "B"
        ] == pytest.approx(-0.8)
        assert np.isnan(genes["pearson"]["C"]) and list(genes["n"]) == [4, 4, 4]
        patients = correlations(self.predicted, read, "patient").set_index("patient")
        assert patients["pearson"]["p4"] == pytest.approx(np.corrcoef([4, 4, 1], [8, 1, 4])[0, 1])

    def test_counts_are_logged(self, tmp_path: Path) -> None:
        (tmp_path / "bulk.csv").write_text("gene,p1,p2,p3\nA,0,99,999\n")
        read, scale = read_bulk(tmp_path / "bulk.csv", self.predicted.index, self.predicted.columns)
        np.testing.assert_allclose(read["A"], np.log1p([0, 99, 999]))
        assert scale.startswith("log1p")

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            (
                "gene,q1,q2,q3\nA,1,2,3\n",
                r"0 patients .at least 3 are needed. and 1 genes in common",
            ),
            ("gene,p1,p2,p3\nA,1,2,3\nA,1,2,3\n", r"A is there twice"),
            ("gene,p1,p2,p3\nA,1,high,3\n", r"expected numbers"),
        ],
    )
    def test_tables_that_do_not_fit(self, tmp_path: Path, text: str, message: str) -> None:
        (tmp_path / "bulk.csv").write_text(text)
        with pytest.raises(InputError, match=message):
            read_bulk(tmp_path / "bulk.csv", self.predicted.index, self.predicted.columns)


class TestSurvival:
    def follow_up(self, n: int = 40) -> pd.DataFrame:
        """Times 1 to n; every second is censored."""
        names = [f"p{i}" for i in range(n)]
        return pd.DataFrame({"time": np.arange(1.0, n + 1), "event": np.arange(n) % 2}, index=names)

    def test_a_perfect_a_reversed_and_a_random_signature(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pytest.importorskip("lifelines")
        monkeypatch.setattr("hespotex.cohorts.survival.REPEATS", 3)
        table = self.follow_up()
        noise = np.random.default_rng(0).normal(size=len(table))
        scores = pd.DataFrame(
            {"risk": -table["time"], "protects": table["time"], "noise": noise, "flat": 1.0}
        )
        found = c_indices(scores, table).set_index("signature")
        # the direction is learned
        assert found["c_index"]["risk"] == 1 and found["c_index"]["protects"] == 1
        assert (
            0.25 < found["c_index"]["noise"] < 0.65
            and found["low"]["noise"] < 0.5 < found["high"]["noise"]
        )
        assert np.isnan(found["c_index"]["flat"]) and found["n_folds"]["flat"] == 0
        assert (found["n_patients"] == 40).all() and (found["n_events"] == 20).all()

    def test_too_few(self) -> None:
        pytest.importorskip("lifelines")
        table = self.follow_up(8)
        with pytest.raises(
            InputError, match="8 patients with scores and follow-up, 4 with an event; at least 5"
        ):
            c_indices(pd.DataFrame({"risk": table["time"]}), table)

    def test_without_lifelines(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "lifelines", None)
        with pytest.raises(InputError, match="run `pip install lifelines`"):
            c_indices(pd.DataFrame({"risk": [1.0]}, index=["p0"]), self.follow_up())

    @pytest.mark.parametrize(
        ("rows", "message"),
        [
            ({"patient": ["a"], "time": [1]}, "time alone"),
            ({"patient": ["a", "b"], "time": [1, -1], "event": [0, 1]}, "look at b"),
            ({"patient": ["a", "a"], "time": [1, 2], "event": [0, 1]}, "look at a"),
        ],
    )
    def test_follow_up_that_cannot_be(self, rows: dict[str, list[object]], message: str) -> None:
        with pytest.raises(InputError, match=message):
            follow_up_of(pd.DataFrame(rows))

    def test_slides_of_a_patient_agree(self) -> None:
        found = follow_up_of(
            pd.DataFrame({"patient": ["a", "a", "b"], "time": [1, 1, None], "event": [1, 1, 0]})
        )
        assert found is not None and found.to_dict("index") == {"a": {"time": 1.0, "event": 1}}
        assert follow_up_of(pd.DataFrame({"patient": ["a"]})) is None


def test_lists_that_do_not_fit(folder: Path, tmp_path: Path) -> None:
    for text, message in (
        ("slide\nx1\n", "expected columns slide, patient"),
        ("slide,patient\nx1,P1\nx1,P2\n", "each slide once"),
        ("slide,patient,time,event\nx1,P1,3,1\n", "add --gene-sets FILE.gmt"),
    ):
        with pytest.raises(InputError, match=message):
            tables(folder, slides(tmp_path, text))


def test_the_command(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("lifelines")
    rng = np.random.default_rng(0)
    lines = ["slide,patient,time,event"]
    bulk = {}
    for i in range(20):
        level = float(rng.uniform(0, 5))
        write(folder, f"c{i:02d}", [[level, 1.0], [level, 1.0]])
        lines.append(f"c{i:02d},P{i},{100 - 10 * level:.3f},{i % 2}")
        bulk[f"P{i}"] = [2 * level, 1.0]
    pd.DataFrame(bulk, index=["A", "B"]).to_csv(tmp_path / "bulk.csv")
    (tmp_path / "sets.gmt").write_text("RISK\tx\tA\n")
    words = [
        f"--slides={slides(tmp_path, chr(10).join(lines))}",
        f"--gene-sets={tmp_path}/sets.gmt",
        f"--bulk={tmp_path}/bulk.csv",
    ]
    done = command("-m", "hespotex.cohort", str(folder), *words)
    assert done.returncode == 0, done.stdout + done.stderr
    made = {path.stem: pd.read_csv(path) for path in (folder / "cohort").glob("*.csv")}
    assert set(made) == {
        "pseudobulk",
        "gene_set_scores",
        "bulk_correlation_genes",
        "bulk_correlation_patients",
        "survival",
    }
    assert (
        len(made["pseudobulk"]) == 20
        and made["bulk_correlation_genes"].set_index("gene").loc["A", "pearson"] == 1
    )
    assert made["survival"]["c_index"][0] == 1 and made["survival"]["n_patients"][0] == 20
    done = command("-m", "hespotex.cohort", str(tmp_path / "nowhere"))
    assert (
        done.returncode == 2
        and "no predicted slide" in done.stderr
        and "Traceback" not in done.stderr
    )
