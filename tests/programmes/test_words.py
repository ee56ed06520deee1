"""What is said of a programme: statistics that go with it, and gene sets at its ends."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hespotex.common.errors import InputError
from hespotex.explaining.sets import set_table, sets_in_words
from hespotex.histology.catalogue import FEATURES
from hespotex.histology.names import statistic_names
from hespotex.histology.phrases import PHRASES
from hespotex.programmes.words import correlations, in_words, mean_over_groups
from hespotex.results.programmes import (
    COLUMNS,
    FILE,
    about,
    in_lines,
    read_programmes,
    title_of,
)

NAMES = statistic_names([150, 350])
NONE = np.eye(len(NAMES))


def r_of(**values: float) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    """Correlations with these statistics, 0 with all others."""
    return np.array([values.get(str(name), 0.0) for name in NAMES.index])


def test_every_phrase_is_of_a_statistic() -> None:
    assert not set(PHRASES) - set(FEATURES)
    assert all(high != low for high, low in PHRASES.values())


def test_the_clearest_come_first_and_the_faint_do_not() -> None:
    r = r_of(nuclei_density_150um=0.4, e_mean_350um=-0.7, nuclei_area_mean_150um=0.1)
    said = in_words(r, NAMES, NONE)
    assert said == "little eosin (r = 0.70 in 350 um), many nuclei (r = 0.40)"


def test_the_same_is_said_once() -> None:
    r = r_of(nuclei_density_150um=0.6, nuclei_density_350um=0.5, nuclei_area_fraction_150um=0.4)
    alike = NONE.copy()
    i, j = (NAMES.index.get_loc(f"nuclei_{n}_150um") for n in ("density", "area_fraction"))
    alike[i, j] = alike[j, i] = 0.9
    assert in_words(r, NAMES, alike) == "many nuclei (r = 0.60)"
    assert in_words(r * np.nan, NAMES, alike) == ""


def test_correlations_skip_what_is_constant() -> None:
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(50, 1))
    statistics = np.column_stack([scores[:, 0] * 3 + 1, -scores[:, 0], np.ones(50)])
    found = correlations(scores, statistics)
    np.testing.assert_allclose(found[0, :2], [1, -1])
    assert np.isnan(found[0, 2])


def test_each_group_counts_once() -> None:
    values = [np.array([[0.0]]), np.array([[0.2]]), np.array([[0.7]]), np.array([[np.nan]])]
    mean = mean_over_groups(values, ["A", "A", "B", "B"])
    assert mean.tolist() == [[pytest.approx(0.4)]]


def test_a_set_at_one_end() -> None:
    genes = [f"G{i}" for i in range(200)]
    loadings = np.linspace(1, -1, 200)[:, None]
    sets = {"TOP": genes[:8], "EVEN": genes[::20], "SMALL": genes[:3], "ELSE": ["X"] * 9}
    table = set_table(loadings, genes, sets)
    assert set(table["gene_set"]) == {"TOP", "EVEN"}
    up = table[table["end"] == "up"].set_index("gene_set")
    assert up["at_end"].to_dict() == {"TOP": 8, "EVEN": 1}
    assert up["q"]["TOP"] < 1e-6 < up["q"]["EVEN"]
    assert sets_in_words(table, 1).startswith("TOP up (8 of 10 genes, q = ")
    assert "EVEN" not in sets_in_words(table, 1)


def test_sets_of_other_names() -> None:
    with pytest.raises(InputError, match="--gene-sets: no set has 5 genes or more among the 6"):
        set_table(np.ones((6, 1)), list("abcdef"), {"A": list("ABCDEF")})


def test_a_table_that_is_not_whole_is_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert read_programmes(tmp_path) is None and not caplog.text
    file = tmp_path / FILE
    file.parent.mkdir()
    for content in ("", "programme,share\n1,0.5\n"):
        file.write_text(content)
        assert read_programmes(tmp_path) is None
    assert "lacks pcc, returned" in caplog.text and "hespotex.explain" in caplog.text
    file.write_text(",".join(COLUMNS) + "\n" + ",".join(["1", "0.5", *[""] * 11]) + "\n")
    table = read_programmes(tmp_path)
    assert table is not None and np.isnan(table["pcc"][0]) and table["seen"][0] == ""


def test_a_row_in_words() -> None:
    row = {
        "programme": 1, "share": 0.42, "pcc": 0.5, "returned": 3, "n_folds": 4, "genes_up": "A B",
        "genes_down": "", "seen": "many nuclei (r = 0.60)", "gene_sets": "",
    }  # fmt: skip
    assert title_of(row) == (
        "Programme 1: 42% of the predictions' variance, r = 0.50 on left-out sections, in 3 of 4"
        " folds"
    )
    assert about(row) == ["Genes up: A, B.", "High where there are: many nuclei (r = 0.60)."]
    assert len(in_lines(pd.DataFrame([row, row]))) == 2


@pytest.mark.parametrize(
    ("pcc", "returned", "doubt"),
    [
        (0.5, 3, None),
        (0.1, 3, "its score is hardly predicted on left-out sections."),
        (float("nan"), 2, "hardly predicted .* sections and half of the folds or fewer have it."),
    ],
)
def test_what_did_not_hold_is_doubted(pcc: float, returned: int, doubt: str | None) -> None:
    row: dict[str, object] = {"pcc": pcc, "returned": returned, "n_folds": 4}
    row |= dict.fromkeys(("genes_up", "genes_down", "seen", "gene_sets"), "")
    said = about(row)
    assert len(said) == bool(doubt)
    assert not doubt or re.match(f"Not to be relied on: .*{doubt}", said[0])
