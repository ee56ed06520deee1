"""Every output says what its values are, and where levels between slides are not predicted."""

from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from hespotex.results.figures import maps
from hespotex.results.report import notes

ROW = {
    "model": "strict",
    "leaks": [],
    "missing_folds": "",
    "without_value": [],
    "genes_partly": 0,
    "n_groups": 5,
    "n_paired": 9,
}


@pytest.mark.parametrize(("r2", "said"), [(-5.246, True), (0.12, False), (np.nan, False)])
def test_the_report_says_that_levels_are_not_predicted(r2: float, said: bool) -> None:
    found = [note for note in notes(pd.DataFrame([ROW | {"r2": r2}])) if "levels" in note]
    assert bool(found) == said
    if said:
        assert "R2 is -5.246" in found[0]


def test_maps_of_test_sections_have_a_panel_of_their_own_scale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: dict[str, object] = {}

    def keep(_: object, shared: object, unit: object, *rest: object) -> None:
        drawn.update(shared=shared, own=rest[-1], unit=unit)

    monkeypatch.setattr(maps, "draw_maps", keep)
    table = ad.AnnData(np.ones((3, 1), dtype=np.float32), var=pd.DataFrame(index=["G"]))
    table.uns["hespotex"] = {"unit": "log"}
    maps.draw_pair(table, table, "G", "title", tmp_path / "x.png")
    assert list(drawn["shared"]) == ["measured G", "predicted G"]  # type: ignore[call-overload]
    assert list(drawn["own"]) == ["predicted G, own scale"]  # type: ignore[call-overload]
    maps.draw_pair(None, table, "G", "title", tmp_path / "x.png")
    assert drawn["own"] is None and drawn["unit"] == "log"
