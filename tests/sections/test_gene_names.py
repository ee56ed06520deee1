"""Gene names: versions, aliases, doubles, probes; and no mix of species or of namings."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from builders import section

from hespotex.common.errors import InputError
from hespotex.sections.gene_names import GeneNames
from hespotex.sections.naming import check_names, naming, species
from hespotex.sections.section import Section

HUMAN = [
    "ERBB2",
    "CD8A",
    "C1orf159",
    "HLA-A",
    "AL109927.1",
    "MT-CO1",
    "RPS6",
    "KRT5",
    "ACTB",
    "MKI67",
    "PTPRC",
]
MOUSE = [
    "Erbb2",
    "Cd8a",
    "Gm1234",
    "H2-Ab1",
    "1700001C02Rik",
    "mt-Co1",
    "Rps6",
    "Krt5",
    "Actb",
    "Mki67",
    "Ptprc",
    "Cd4",
    "Il6",
]
HUMAN_IDS = [f"ENSG{i:011d}" for i in range(12)]
MOUSE_IDS = [f"ENSMUSG{i:011d}" for i in range(12)]


def named(*genes: str) -> Section:
    """25 spots in which gene i has i + 1 counts."""
    return section(np.tile(np.arange(1, len(genes) + 1, dtype=np.float32), (25, 1)), genes)


def counts(found: Section) -> dict[str, float]:
    """Counts of each gene in the first spot."""
    return dict(
        zip(map(str, found.adata.var_names), found.adata.X.toarray()[0].tolist(), strict=True)
    )


def alias_table(folder: Path, *lines: str) -> str:
    path = folder / "aliases.csv"
    path.write_text("\n".join(["alias,symbol", *lines]), encoding="utf-8")
    return str(path)


def test_good_names_stay_the_same_object() -> None:
    one = named(*HUMAN)
    assert GeneNames()(one) is one


def test_versions_are_cut_and_their_counts_summed() -> None:
    found = GeneNames()(
        named("ENSG00000141736.14", "AL109927.1", "ENSG00000141736", "ENSMUSG00000062312.7")
    )
    assert counts(found) == {"ENSG00000141736": 4, "AL109927.1": 2, "ENSMUSG00000062312": 4}


def test_aliases_are_replaced(tmp_path: Path) -> None:
    rename = GeneNames(alias_table(tmp_path, "ENSG00000141736.1,ERBB2", "HER2,ERBB2", "NA,NOTHING"))
    found = rename(named("ENSG00000141736.14", "HER2", "ERBB2", "OTHER", "NA"))
    assert counts(found) == {"ERBB2": 6, "OTHER": 4, "NOTHING": 5}


@pytest.mark.parametrize(
    "probe",
    [
        "BLANK_0001",
        "Blank-12",
        "NegControlProbe_00042",
        "NegControlCodeword_0500",
        "antisense_BRCA1",
        "UnassignedCodeword_0001",
        "DEPRECATED_ENSG00000112096",
        "DeprecatedCodeword_0001",
        "__ambiguous[AAA+BBB]",
        "__no_feature",
        "NegPrb3",
    ],
)
def test_probes_are_dropped(probe: str) -> None:
    assert counts(GeneNames()(named("AAA", probe, "BBB"))) == {"AAA": 1, "BBB": 3}
    kept = named("AAA", probe, "BBB")
    assert GeneNames(drop_control_probes=False)(kept) is kept


@pytest.mark.parametrize("gene", ["NEGR1", "BLNK", "MTOR", "RPS6KA1", "RPL22L", "ASL", "MT1X"])
def test_genes_that_look_like_it_stay(gene: str) -> None:
    one = named("AAA", gene)
    dropped = GeneNames(drop_mitochondrial=True)(one)
    assert dropped is one
    if gene == "RPS6KA1":  # a kinase
        assert GeneNames(drop_ribosomal=True)(one) is one


@pytest.mark.parametrize(
    ("mitochondrial", "ribosomal"), [(True, False), (False, True), (True, True), (False, False)]
)
def test_mitochondrial_and_ribosomal_genes_if_asked(mitochondrial: bool, ribosomal: bool) -> None:
    mt = ["MT-CO1", "mt-Nd1"]
    rp = ["RPS6", "RPL3", "RPS27A", "RPLP0", "RPSA", "Rpl13a", "RPS4Y1", "RPL36AL"]
    found = GeneNames(drop_mitochondrial=mitochondrial, drop_ribosomal=ribosomal)(
        named("AAA", *mt, *rp)
    )
    assert set(counts(found)) == {"AAA", *([] if mitochondrial else mt), *([] if ribosomal else rp)}


def test_spots_and_positions_are_untouched() -> None:
    one = named("ENSG00000141736.14", "BLANK_1")
    one.adata.obs["label"] = "tumour"
    found = GeneNames()(one)
    assert found.barcodes == one.barcodes
    assert list(found.adata.obs["label"]) == ["tumour"] * 25
    np.testing.assert_array_equal(found.pos_px, one.pos_px)


def test_a_section_of_probes_only() -> None:
    with pytest.raises(InputError, match=r"S1: all 2 genes are dropped; look at data.genes"):
        GeneNames()(named("BLANK_1", "BLANK_2"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\nc,d", r"expected columns alias, symbol, found \['a', 'b'\].*\(data.genes.aliases\)"),
        ("alias,symbol\nX,A\nX,B", r"aliases with several symbols: \['X'\]"),
        ("", "the file is empty"),
    ],
)
def test_broken_alias_tables(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "aliases.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        GeneNames(str(path))
    with pytest.raises(
        InputError, match=r"alias table not found: .*nowhere.csv; set data.genes.aliases=FILE.csv"
    ):
        GeneNames(str(tmp_path / "nowhere.csv"))


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (HUMAN, ("symbols", "human")),
        (MOUSE, ("symbols", "mouse")),
        (HUMAN_IDS, ("Ensembl ids", "human")),
        (MOUSE_IDS, ("Ensembl ids", "mouse")),
        ([f"ENSDARG{i:011d}" for i in range(12)], ("Ensembl ids", None)),  # zebrafish
        ([*HUMAN, *MOUSE], ("symbols", None)),
        (["ERBB2"], (None, None)),
        ([], (None, None)),
    ],
)
def test_guesses(names: Sequence[str], expected: tuple[str | None, str | None]) -> None:
    assert (naming(names), species(names)) == expected


def test_one_kind_is_accepted() -> None:
    for kind in (HUMAN, MOUSE, HUMAN_IDS, MOUSE_IDS):
        check_names({"A": kind, "B": kind[1:], "C": ["X"]})


@pytest.mark.parametrize("mouse", [MOUSE, MOUSE_IDS])
def test_species_are_not_mixed(mouse: list[str]) -> None:
    with pytest.raises(
        InputError, match=r"species are mixed.*human in A, B; mouse in C; set data.reader.sections"
    ):
        check_names({"A": HUMAN, "B": HUMAN_IDS, "C": mouse})


@pytest.mark.parametrize(
    "names",
    [
        [*HUMAN, *MOUSE],
        [*HUMAN_IDS, *MOUSE_IDS],
        [*(f"GRCh38_{name}" for name in HUMAN), *(f"mm10___{name}" for name in MOUSE)],
    ],
)
def test_two_species_in_one_section_are_refused(names: list[str]) -> None:
    with pytest.raises(InputError, match="human and mouse stand side by side in X"):
        check_names({"A": HUMAN, "X": names})


def test_a_few_names_of_another_kind_are_no_species() -> None:
    check_names({"A": [*HUMAN * 6, *MOUSE[:9]], "B": [*HUMAN, "Xkr4", "Rp1"]})


def test_lost_names_are_refused() -> None:
    """Entrez ids are numbers, too."""
    lost = [str(i) for i in range(12)]
    with pytest.raises(InputError, match=r"genes of L are named 0, 1, 2, .*adata.var_names"):
        check_names({"A": HUMAN, "L": lost})
    check_names({"E": [str(2064 + 7 * i) for i in range(12)]})


def test_namings_are_not_mixed_unless_an_alias_table_cures_it(tmp_path: Path) -> None:
    with pytest.raises(
        InputError,
        match=r"two kinds: Ensembl ids in B; symbols in A; translate them with data.genes.aliases",
    ):
        check_names({"A": HUMAN, "B": HUMAN_IDS})
    rename = GeneNames(
        alias_table(tmp_path, *(f"{a},{b}" for a, b in zip(HUMAN_IDS, HUMAN, strict=False)))
    )
    check_names({"A": HUMAN, "B": [rename.rename(f"{name}.3") for name in HUMAN_IDS]})


def test_real_names_are_human_symbols_and_stay(shared: Path) -> None:
    from hespotex.sections.readers.her2st import Her2stReader

    for section_id in ("B4", "C2"):
        one = Her2stReader(str(shared / "data" / "her2st")).read(section_id)
        genes = [str(name) for name in one.adata.var_names]
        assert (naming(genes), species(genes)) == ("symbols", "human")
        assert GeneNames()(one) is one
