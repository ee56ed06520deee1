"""Genes that sections name differently: one name for a gene, and never one name for two genes."""

import tracemalloc
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from builders import section, write_her2st, write_hest
from builders.visium import truth, write_image, write_visium, write_visium_hd
from scipy import sparse

from hespotex.common.errors import InputError
from hespotex.genes.panel import HighlyVariableGenes
from hespotex.sections.gene_names import GeneNames, called_as
from hespotex.sections.names.genes import Genes, genes_of
from hespotex.sections.names.hgnc import hgnc
from hespotex.sections.names.one_name import common_names
from hespotex.sections.readers.h5ad import H5adReader
from hespotex.sections.readers.her2st import Her2stReader
from hespotex.sections.readers.hest.folder import HestReader
from hespotex.sections.readers.spaceranger.visium import VisiumReader
from hespotex.sections.readers.spaceranger.visium_hd import VisiumHDReader
from hespotex.sections.sections import Sections

SEPTIN4 = "ENSG00000108387"
ERBB2 = "ENSG00000141736"
OTHER = "ENSG00000999991"


def genes(**named: str) -> Genes:
    """Names, each with its Ensembl id."""
    return Genes(tuple(named), tuple(named.values()))


def plain(*names: str) -> Genes:
    return Genes(names, ("",) * len(names))


def renamed(
    sections: Mapping[str, Genes], reference: Sequence[str] = ()
) -> dict[str, dict[str, str]]:
    """What is renamed, by section."""
    found = common_names(sections, reference)
    backwards = {i: sections[i] for i in reversed(list(sections))}
    assert found == common_names(backwards, reference)
    return found


def test_the_table_is_hgnc() -> None:
    table = hgnc()
    assert table.symbol("SEPT4") == table.symbol("SEPTIN4") == table.symbol(SEPTIN4) == "SEPTIN4"
    assert table.symbol("MARCH1") == "MARCHF1"
    assert table.ids["ERBB2"] == ERBB2
    assert table.symbol("no such gene") is None
    # somebody's approved symbol, whoever else had it as an alias
    assert not set(table.others) & set(table.ids)
    assert len(table.ids) > 40_000
    assert len(set(table.ids.values()) - {""}) > 39_000


@pytest.mark.parametrize("reference", ["2020", "2024"])
def test_one_id_gets_its_most_common_name(reference: str) -> None:
    sections = {
        "A": genes(AC1="ENSG00000000001", SAME=OTHER),
        "B": genes(NEW="ENSG00000000001", SAME=OTHER),
        "C": genes(**{"AC1" if reference == "2020" else "NEW": "ENSG00000000001"}),
    }
    expected = {"B": {"NEW": "AC1"}} if reference == "2020" else {"A": {"AC1": "NEW"}}
    assert renamed(sections) == expected


def test_of_two_names_as_common_the_approved_one() -> None:
    assert renamed({"A": genes(SEPT4=SEPTIN4), "B": genes(SEPTIN4=SEPTIN4)}) == {
        "A": {"SEPT4": "SEPTIN4"}
    }


def test_symbols_alone_are_joined_by_the_table() -> None:
    assert renamed({"A": plain("MARCH1", "ERBB2"), "B": plain("MARCHF1", "ERBB2")}) == {
        "A": {"MARCH1": "MARCHF1"}
    }


def test_a_name_that_every_section_uses_stays() -> None:
    assert renamed({"A": plain("SEPT4", "HER2"), "B": plain("SEPT4")}) == {}


def test_ids_beside_symbols() -> None:
    sections = {"A": plain(ERBB2, SEPTIN4, OTHER), "B": plain("ERBB2", "SEPT4", "KRT5")}
    assert renamed(sections) == {"A": {ERBB2: "ERBB2", SEPTIN4: "SEPT4"}}


def test_two_names_of_one_section_are_two_genes() -> None:
    """Its annotation knew them apart, whatever HGNC says today."""
    assert hgnc().symbol("C17orf47") == hgnc().symbol("SEPT4")
    old = plain("SEPT4", "C17orf47")
    assert renamed({"A": old, "B": plain("SEPTIN4"), "C": plain("SEPT4")}) == {}


def test_a_symbol_that_moved_to_another_gene_follows_the_ids() -> None:
    first, second = "ENSG00000000001", "ENSG00000000002"
    sections = {
        "A": genes(X=first, AC2=second),
        "B": genes(Y=first, X=second),
        "C": genes(Y=first, X=second),
    }
    assert renamed(sections) == {"A": {"X": "Y", "AC2": "X"}}


def test_a_name_that_two_genes_claim_goes_to_the_one_that_has_it_most_often() -> None:
    first, second = "ENSG00000000001", "ENSG00000000002"
    sections = {"A": genes(X=first), "B": genes(X=first), "C": genes(Y=first, X=second)}
    assert renamed(sections) == {"C": {"Y": "X", "X": second}}


def test_what_would_put_two_genes_under_one_name_is_left(caplog: pytest.LogCaptureFixture) -> None:
    first = "ENSG00000000001"
    sections = {"A": genes(X=first), "B": genes(X=first), "C": genes(Y=first, X="")}
    with caplog.at_level("INFO"):
        assert renamed(sections) == {}
    assert "1 are left apart" in caplog.text


def test_one_id_twice_in_a_section_is_one_gene() -> None:
    sections = {
        "A": genes(X="ENSG00000000001", X2="ENSG00000000001"),
        "B": genes(X="ENSG00000000001"),
    }
    assert renamed(sections) == {"A": {"X2": "X"}}


def test_a_name_with_two_ids_is_known_by_its_name() -> None:
    """As MATR3 in the reference 2020-A."""
    double = Genes(("MATR3", "MATR3"), ("ENSG00000015479", "ENSG00000280987"))
    assert renamed({"A": double, "B": genes(MATR3="ENSG00000015479")}) == {}


def test_where_a_file_speaks_the_table_is_silent() -> None:
    """HER2 is another gene there."""
    assert renamed({"A": genes(HER2=OTHER), "B": genes(ERBB2=ERBB2)}) == {}


def test_names_of_a_model_come_first() -> None:
    sections = {"A": plain("SEPTIN4"), "B": plain("SEPTIN4")}
    assert renamed(sections, ["SEPT4"]) == {i: {"SEPTIN4": "SEPT4"} for i in "AB"}


def test_many_different_lists_are_cheap() -> None:
    """Each more list costs its numbers, not texts and tables of its own."""
    known = [(symbol, ensembl) for symbol, ensembl in hgnc().ids.items() if ensembl][:2000]
    sections = {
        f"S{number:02d}": genes_of(
            [pair[number % 2] for pair in known[number:]], [pair[1] for pair in known[number:]]
        )
        for number in range(30)
    }
    assert sections["S00"].names[4] is sections["S02"].names[2]
    tracemalloc.start()
    changes = common_names(sections)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sorted(changes) == [f"S{number:02d}" for number in range(1, 30, 2)]
    assert all(changes["S01"][ensembl] == symbol for symbol, ensembl in known[1:])
    assert peak < 8e6  # bytes; 22e6 with a table for each gene of each list


def h5ad(path: Path, names: Sequence[str], ids: Sequence[str] | None, seed: int) -> None:
    spots = truth(names, seed)
    table = ad.AnnData(sparse.csr_matrix(spots.counts), var=pd.DataFrame(index=list(names)))
    table.obs_names = spots.barcodes
    table.obsm["spatial"] = spots.pos
    if ids is not None:
        table.var["gene_ids"] = list(ids)
    table.write_h5ad(path)


@pytest.fixture
def two_references(tmp_path: Path) -> Sections:
    """One gene under two names, by id; one more by the table."""
    common = [f"GENE{i}" for i in range(12)]
    ids = [f"ENSG{i:011d}.3" for i in range(12)]
    h5ad(tmp_path / "A.h5ad", [*common, "AC1", "SEPT4"], [*ids, f"{OTHER}.1", f"{SEPTIN4}.2"], 0)
    h5ad(tmp_path / "B.h5ad", [*common, "NEW", "SEPTIN4"], [*ids, f"{OTHER}.7", ""], 1)
    h5ad(tmp_path / "C.h5ad", [*common, "NEW", "SEPTIN4"], None, 2)
    for name in "ABC":
        write_image(tmp_path / f"{name}.tif")
    reader = H5adReader(str(tmp_path), mpp=2.0)
    return Sections(reader, GeneNames(one_name=True), min_counts=0)


def test_sections_are_read_under_one_name(two_references: Sections) -> None:
    names = {i: [str(n) for n in two_references[i].adata.var_names] for i in "ABC"}
    assert names["A"] == names["B"] == names["C"]
    assert names["A"][-2:] == ["NEW", "SEPTIN4"]
    raw = two_references.reader.read("A").adata.X.toarray()
    np.testing.assert_array_equal(two_references["A"].adata.X.toarray(), raw)
    assert len(HighlyVariableGenes(20).fit([two_references[i] for i in "ABC"]).genes) == 14


def test_what_is_joined_is_said(two_references: Sections, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        two_references["A"]
    assert "2 genes that sections name differently get one name" in caplog.text
    assert "A: 2 gene names changed" in caplog.text


def test_off(two_references: Sections) -> None:
    two_references.names = GeneNames()
    assert [str(n) for n in two_references["A"].adata.var_names][-2:] == ["AC1", "SEPT4"]


def test_the_aliases_of_the_user_come_first(two_references: Sections, tmp_path: Path) -> None:
    table = tmp_path / "aliases.csv"
    table.write_text("alias,symbol\nSEPT4,MINE\n")
    two_references.names = GeneNames(str(table), one_name=True)
    assert "MINE" in list(two_references["A"].adata.var_names)
    assert "MINE" in list(two_references["B"].adata.var_names)  # by its id


def test_a_model_calls_them(two_references: Sections) -> None:
    two_references["A"]
    two_references.call_as(["AC1", "SEPT4"])
    for section_id in "ABC":
        names = [str(name) for name in two_references[section_id].adata.var_names]
        assert names[-2:] == ["AC1", "SEPT4"], section_id


def test_spots_of_a_slide_are_called_as_the_model_calls_them() -> None:
    counts = np.tile(np.arange(1, 4, dtype=np.float32), (25, 1))
    spots = section(counts, ["SEPTIN4", ERBB2, "KRT5"])
    found = called_as(spots, ["SEPT4", "ERBB2", "KRT5"])
    assert list(found.adata.var_names) == ["SEPT4", "ERBB2", "KRT5"]
    np.testing.assert_array_equal(found.adata.X.toarray(), counts)
    assert called_as(spots, ["SEPTIN4", "KRT5"]).adata.var_names[0] == "SEPTIN4"


def test_ids_that_are_not_of_the_names_are_refused(tmp_path: Path) -> None:
    """Somebody has sorted the names, not the ids."""
    known = [s for s, i in hgnc().ids.items() if i][:100]
    ids = [hgnc().ids[s] for s in known]
    h5ad(tmp_path / "A.h5ad", known, [*ids[1:], ids[0]], 0)
    h5ad(tmp_path / "B.h5ad", known, ids, 0)
    sections = Sections(H5adReader(str(tmp_path), mpp=2.0), GeneNames(one_name=True))
    with pytest.raises(
        InputError,
        match=r"A: 0 of 100 Ensembl ids are those of the names beside them.*one_name=false",
    ):
        sections["A"]


def test_ids_of_another_species_are_refused(tmp_path: Path) -> None:
    symbols = [s for s, i in hgnc().ids.items() if i][:30]
    h5ad(tmp_path / "A.h5ad", symbols, [f"ENSMUSG{i:011d}" for i in range(30)], 0)
    sections = Sections(H5adReader(str(tmp_path), mpp=2.0), GeneNames(one_name=True))
    with pytest.raises(InputError, match="A: the names are human, the Ensembl ids mouse"):
        sections["A"]


def test_what_readers_tell_is_what_they_read(tmp_path: Path) -> None:
    ids = [f"ENSG{i:011d}.4" for i in range(4)]
    write_her2st(tmp_path / "her2st")
    write_hest(tmp_path / "hest")
    image = write_image(tmp_path / "he.tif", 2.0)
    spots = write_visium(tmp_path / "visium" / "S1")
    write_visium(tmp_path / "visium" / "S2", matrix="filtered_feature_bc_matrix")
    write_visium_hd(tmp_path / "hd" / "H1", image=tmp_path / "hd" / "H1.tif")
    h5ad(tmp_path / "X.h5ad", spots.genes, ids, 0)
    table = H5adReader(str(tmp_path / "X.h5ad"), str(image))
    visium = VisiumReader(str(tmp_path / "visium"), {"S1": str(image), "S2": str(image)})
    readers: list[tuple[Any, str]] = [
        (Her2stReader(str(tmp_path / "her2st")), "A1"),
        (HestReader(str(tmp_path / "hest")), "T1"),
        (visium, "S1"),
        (visium, "S2"),
        (VisiumHDReader(str(tmp_path / "hd")), "H1"),
        (table, "X"),
    ]
    for reader, section_id in readers:
        names = [str(name) for name in reader.read(section_id).adata.var_names]
        assert list(reader.genes(section_id).names) == names
    assert list(table.genes("X").ids) == [i.split(".")[0] for i in ids]


def test_her2st_keeps_its_names(shared: Path) -> None:
    """One annotation: whatever HGNC says today, its names are apart."""
    reader = Her2stReader(str(shared / "data" / "her2st"))
    ids = [key.section_id for key in reader.section_keys()]
    assert common_names({i: reader.genes(i) for i in ids}) == {}
