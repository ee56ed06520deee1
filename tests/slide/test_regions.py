"""Regions that somebody has outlined in QuPath: which spots lie in them, means, differences."""

import json
import re
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from hespotex.common.errors import InputError
from hespotex.results.slide.differences import (
    ONE_PATIENT,
    UNKNOWN_PATIENTS,
    region_differences,
)
from hespotex.results.slide.differences import (
    read_regions as regions_of_folder,
)
from hespotex.results.slide.regions import (
    mark_spots,
    read_region_table,
    region_means,
    region_table,
    write_regions,
)
from hespotex.results.slide.trust import KEY, Trust
from hespotex.results.slide.viewer import write_viewer
from hespotex.results.slide.write import write_slide
from hespotex.sections.regions import Region, read_regions, slide_regions
from hespotex.sections.section import Section
from hespotex.sections.tissue import Tissue

SIZE = (640, 480)


def box(left: float, top: float, right: float, bottom: float) -> list[list[float]]:
    return [[left, top], [right, top], [right, bottom], [left, bottom], [left, top]]


def annotation(
    rings: list[Any], name: str = "", class_name: str = "", kind: str = "annotation"
) -> Any:
    """As QuPath exports it."""
    facts: dict[str, Any] = {"objectType": kind}
    facts |= {"name": name} if name else {}
    facts |= {"classification": {"name": class_name}} if class_name else {}
    geometry = {"type": "Polygon", "coordinates": rings}
    return {"type": "Feature", "geometry": geometry, "properties": facts}


def written(folder: Path, *features: Any, name: str = "r.geojson") -> Path:
    path = folder / name
    path.write_text(json.dumps({"type": "FeatureCollection", "features": list(features)}))
    return path


LEFT_HALF = box(0, 0, 301.5, 480)  # no spot lies on the border
RIGHT_HALF = box(301.5, 0, 640, 480)


class TestFile:
    def test_names_and_classes(self, tmp_path: Path) -> None:
        two_parts = annotation([], class_name="Tumor")
        two_parts["geometry"] = {
            "type": "MultiPolygon",
            "coordinates": [[box(0, 0, 9, 9)], [box(20, 0, 29, 9)]],
        }
        path = written(
            tmp_path,
            two_parts,
            annotation([box(0, 50, 9, 59)], class_name="Tumor"),
            annotation([box(50, 0, 59, 9)], name="rim", class_name="Stroma"),
            annotation([box(70, 0, 79, 9)], name="odd"),
            annotation([box(90, 0, 99, 9)]),  # neither
            annotation([box(90, 0, 99, 9)], class_name="Ignore*"),
            annotation([box(1, 1, 2, 2)], class_name="Tumor", kind="detection"),
        )
        regions = read_regions(path, SIZE)
        assert [(r.name, r.class_name, len(r.parts)) for r in regions] == [
            ("Tumor 1", "Tumor", 2),
            ("Tumor 2", "Tumor", 1),
            ("rim", "Stroma", 1),
            ("odd", "odd", 1),
        ]
        places = np.array([[5, 5], [15, 5], [25, 5]])
        assert list(regions[0].holds(places)) == [True, False, True]

    def test_a_hole_and_a_border_that_crosses_itself(self, tmp_path: Path) -> None:
        bow_tie = [[0, 100], [100, 200], [100, 100], [0, 200], [0, 100]]
        path = written(
            tmp_path,
            annotation([box(0, 0, 90, 90), box(30, 30, 60, 60)], name="ring"),
            annotation([bow_tie], name="tie"),
        )
        ring, tie = read_regions(path, SIZE)
        assert list(ring.holds(np.array([[10, 10], [45, 45], [95, 45]]))) == [True, False, False]
        assert list(tie.holds(np.array([[10, 150], [50, 110], [90, 150]]))) == [True, False, True]

    def test_counted_from_the_corner_of_the_scanned_area(self, tmp_path: Path) -> None:
        path = written(tmp_path, annotation([box(0, 0, 10, 10)], name="a"))
        (region,) = read_regions(path, SIZE, origin=(100, 200))
        assert list(region.holds(np.array([[105, 205], [5, 5]]))) == [True, False]

    @pytest.mark.parametrize(
        ("features", "message"),
        [
            ([annotation([LEFT_HALF])], "none of its 1 areas has a name or a class"),
            ([annotation([LEFT_HALF], class_name="Ignore*")], "none of its 1 areas has a name"),
            ([annotation([box(0, 0, 1e6, 1e6)], name="a")], "expected full-resolution px"),
            ([], "expected GeoJSON with a Polygon"),
        ],
    )
    def test_what_is_no_region(self, tmp_path: Path, features: list[Any], message: str) -> None:
        with pytest.raises(InputError, match=message):
            read_regions(written(tmp_path, *features), SIZE)

    def test_a_folder_has_a_file_for_each_slide(
        self, tmp_path: Path, slide_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        assert slide_regions(slide_path, None) == []
        assert slide_regions(slide_path, str(tmp_path)) == [] and "no regions" in caplog.text
        written(tmp_path, annotation([LEFT_HALF], name="a"), name=f"{slide_path.stem}.geojson")
        assert [r.name for r in slide_regions(slide_path, str(tmp_path))] == ["a"]
        with pytest.raises(InputError, match=r"regions not found: .*set regions=FILE"):
            slide_regions(slide_path, str(tmp_path / "absent.geojson"))


@pytest.fixture
def regions() -> list[Region]:
    """The left and the right half, and one beside the tissue."""
    boxes = {"west": LEFT_HALF, "east": RIGHT_HALF, "off": box(0, 0, 2, 2)}
    classes = {"west": "Tumor", "east": "Stroma", "off": "Stroma"}
    return [Region(n, classes[n], [[np.array(ring)]]) for n, ring in boxes.items()]


@pytest.fixture
def earning(table: ad.AnnData) -> ad.AnnData:
    n = table.n_vars
    table.var["test_pcc"] = np.linspace(0.1, 0.5, n)
    table.var["test_sections"] = 3.0
    table.var["q"] = [0.9, *[0.01] * (n - 1)]
    table.var["found"] = [False, *[True] * (n - 1)]
    table.var["scored"] = True
    table.var[["low", "high"]] = 0.0
    return table


class TestOfOneSlide:
    def test_means_and_marks(
        self, earning: ad.AnnData, regions: list[Region], section: Section, tmp_path: Path
    ) -> None:
        left = section.pos_px[:, 0] < 301.5
        means = region_means(earning, regions)
        np.testing.assert_allclose(means[0], earning.X[left].mean(axis=0), rtol=1e-5)
        np.testing.assert_allclose(means[1], earning.X[~left].mean(axis=0), rtol=1e-5)
        assert np.isnan(means[2]).all()
        own = region_table(earning, regions, "s1")
        write_regions(own, tmp_path / "x_regions.csv")
        read = read_region_table(tmp_path / "x_regions.csv")
        pd.testing.assert_frame_equal(read, own, check_dtype=False, rtol=1e-5)
        west = own[own["region"] == "west"]
        # the best predicted first, and what has earned nothing says so
        assert list(west["gene"])[-1] == "LEFT" and list(west["earned"])[-1] == "not found"
        assert set(west["earned"][:-1]) == {"found"} and set(west["n_spots"]) == {left.sum()}
        assert own["mean"][own["region"] == "off"].isna().all()

    def test_files_and_columns(
        self,
        earning: ad.AnnData,
        regions: list[Region],
        section: Section,
        tissue: Tissue,
        tmp_path: Path,
    ) -> None:
        mark_spots(earning, regions)
        write_slide(earning, section, tissue, [], tmp_path, regions=regions, flat="csv")
        (file,) = tmp_path.glob("*_regions.csv")
        assert set(read_region_table(file)["class"]) == {"Tumor", "Stroma"}
        (saved,) = tmp_path.glob("*.h5ad")
        obs = ad.read_h5ad(saved).obs
        left = section.pos_px[:, 0] < 301.5
        assert list(obs["region"]) == ["west" if here else "east" for here in left]
        assert list(obs["region_class"]) == ["Tumor" if here else "Stroma" for here in left]

    def test_of_another_slide(self, table: ad.AnnData, regions: list[Region]) -> None:
        with pytest.raises(InputError, match=r"no spot lies in any of the 1 regions \(off\)"):
            mark_spots(table, regions[2:])


def predicted(slide: str, a: float, b: float, trust: str = "yes") -> pd.DataFrame:
    """Two regions of class A with 1 and 3 spots, and one of class B."""
    rows = [("a1", "A", 1, a - 3), ("a2", "A", 3, a + 1), ("b", "B", 5, b)]
    return pd.DataFrame(
        [
            {
                **{"slide": slide, "trust": trust, "region": name, "class": kind},
                **{"n_spots": n, "gene": "G", "mean": mean, "earned": "found", "test_pcc": 0.4},
            }
            for name, kind, n, mean in rows
        ]
    )


class TestDifferences:
    def test_inside_slides_then_over_patients(self) -> None:
        """Levels of slides do not enter; a patient with two slides counts once."""
        regions = pd.concat(
            [
                predicted("s1", 10, 8),
                predicted("s2", 100, 96, "no"),
                predicted("s3", 5, 6),
                predicted("s4", 1, 1)[lambda t: t["class"] == "A"],  # has no B
            ]
        )
        patients = {"s1": "P1", "s2": "P1", "s3": "P2", "s4": "P3"}
        (row,) = region_differences(regions, patients).to_dict("records")
        assert (row["class_a"], row["class_b"], row["gene"]) == ("A", "B", "G")
        assert row["difference"] == pytest.approx((3 + -1) / 2)  # P1: mean of 2 and 4
        assert (row["n_patients"], row["n_slides"], row["doubted_slides"]) == (2, 3, 1)
        assert row["low"] == -1 and row["high"] == 3
        assert row["interval"].startswith("95 %, bootstrap over 2 patients (2 groups: an interval")
        assert (row["earned"], row["test_pcc"]) == ("found", 0.4)

    def test_spots_are_no_patients(self) -> None:
        regions = pd.concat([predicted("s1", 10, 8), predicted("s2", 9, 7)])
        (row,) = region_differences(regions, {"s1": "P1", "s2": "P1"}).to_dict("records")
        assert row["interval"] == ONE_PATIENT and np.isnan(row["low"]) and np.isnan(row["high"])
        (row,) = region_differences(regions).to_dict("records")
        assert row["interval"] == UNKNOWN_PATIENTS and np.isnan(row["low"])
        (row,) = region_differences(regions[:3]).to_dict("records")
        assert row["interval"] == ONE_PATIENT and row["difference"] == pytest.approx(2)

    def test_one_class_alone(self) -> None:
        table = region_differences(predicted("s1", 1, 2)[:2], {"s1": "P"})
        assert len(table) == 0 and {"class_a", "difference", "interval"} <= set(table)

    def test_of_a_folder(self, tmp_path: Path) -> None:
        assert regions_of_folder(tmp_path) is None
        for slide in ("s1", "s2"):
            write_regions(predicted(slide, 1, 2), tmp_path / f"{slide}_regions.csv")
        both = regions_of_folder(tmp_path)
        assert both is not None and set(both["slide"]) == {"s1", "s2"}
        one = regions_of_folder(tmp_path, ["s2", "absent"])
        assert one is not None and set(one["slide"]) == {"s2"}


class TestOnThePage:
    @pytest.fixture
    def page(
        self,
        browser: Any,
        earning: ad.AnnData,
        section: Section,
        regions: list[Region],
        tmp_path: Path,
    ) -> Any:
        earning.uns["hespotex"][KEY] = Trust().to_dict()
        write_viewer(earning, section, ["LEFT"], tmp_path / "s.html", regions=regions)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        troubles: list[str] = []
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.goto((tmp_path / "s.html").as_uri())
        yield page
        assert not troubles
        page.close()

    def test_the_means_of_what_is_shown(
        self, page: Any, earning: ad.AnnData, regions: list[Region]
    ) -> None:
        means = region_means(earning, regions)
        for gene, column, grey in (("LEFT", 0, True), ("NOISE1", 3, False)):
            page.evaluate(f"choose(data.features.findIndex(f => f.name === '{gene}'))")
            rows = [row.split("\t") for row in page.locator("#regions tr").all_inner_texts()]
            assert [row[0] for row in rows] == ["west", "east", "off"]
            shown = [float(row[2]) for row in rows[:2]]
            np.testing.assert_allclose(shown, means[:2, column], rtol=5e-3)
            assert rows[2][1:] == ["0 spots", "no spot"]
            colour = page.evaluate("getComputedStyle(document.querySelector('#regions td')).color")
            assert (len(set(re.findall(r"\d+", colour))) == 1 and "138" in colour) == grey
