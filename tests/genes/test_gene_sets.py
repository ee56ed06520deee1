"""Gene sets of the scores: subsets of the panel, chosen on the sections they are given."""

import numpy as np

from hespotex.genes.panel import GenePanel
from hespotex.genes.sets import RULES, GeneSets

from .test_genes import tissue, tissue_in_another_order


def test_sets_are_the_best_of_the_panel_in_order() -> None:
    sections = [tissue(0), tissue(1)]
    genes = sorted(map(str, sections[0].adata.var_names))
    panel = GenePanel(genes[::2], ["S1"])
    found = GeneSets.fit(sections, panel, ["G004"])
    for name, rule in RULES.items():
        scores = [rule.score(section, genes) for section in sections]
        ranked = [genes[i] for i in rule.rank(scores, genes)]
        best = [gene for gene in ranked if gene in panel.genes]
        assert found.sets[name] == best[: rule.n_top], name
    assert found.sets["markers"] == ["G004"]
    assert {name: len(members) for name, members in found.sets.items() if name != "markers"} == {
        "mean50": min(50, len(panel.genes)),
        "hvg50": min(50, len(panel.genes)),
        "moran20": min(20, len(panel.genes)),
    }
    assert all(set(members) <= {*panel.genes, "G004"} for members in found.sets.values())
    assert found.fitted_on == [section.section_id for section in sections]
    assert found.to_dict()["fitted_on"] == found.fitted_on


def test_patterned_genes_lead_by_moran() -> None:
    sections = [tissue(0), tissue(1)]
    panel = GenePanel(sorted(map(str, sections[0].adata.var_names)), [])
    patterned = {f"G{i:03d}" for i in range(10)}
    assert len(patterned & set(GeneSets.fit(sections, panel, []).sets["moran20"][:10])) >= 8
    assert "markers" not in GeneSets.fit(sections, panel, []).sets


def test_the_order_of_genes_and_spots_does_not_matter() -> None:
    sections = [tissue(0), tissue(1)]
    panel = GenePanel(sorted(map(str, sections[0].adata.var_names)), [])
    again = GeneSets.fit([tissue_in_another_order(section) for section in sections], panel, [])
    assert again.sets == GeneSets.fit(sections, panel, []).sets
    assert np.unique(again.sets["hvg50"]).size == len(again.sets["hvg50"])


def test_a_panel_that_training_did_not_measure_has_empty_sets() -> None:
    found = GeneSets.fit([tissue(0)], GenePanel(["NOT-THERE"], []), [])
    assert set(map(len, found.sets.values())) == {0}
