"""Joining the gene names of many sections whose lists all differ: time and memory, without counts.

Each list lacks one gene in a hundred, another hundred in each; a third is named by Ensembl ids, a
third by symbols with ids beside them, a third by symbols alone.
"""

import argparse
import logging
from time import process_time

import numpy as np
from hest_like import gene_table
from measuring import peak_gib, reset_peak

from hespotex.sections.names.genes import Genes, genes_of
from hespotex.sections.names.one_name import check_ids, common_names

log = logging.getLogger("speed")
LACKS = 0.01  # share of the genes


def lists(n_sections: int, seed: int = 0) -> dict[str, Genes]:
    """The genes of each section, texts made anew for each as a reader makes them."""
    symbols, ids = gene_table()
    found = {}
    for number in range(n_sections):
        has = np.random.default_rng([seed, number]).random(len(symbols)) >= LACKS
        names = ids[has] if number % 3 == 1 else symbols[has]
        beside = None if number % 3 == 2 else ids[has].tolist()
        found[f"S{number:04d}"] = genes_of(names.tolist(), beside)
    return found


def measure(n_sections: int) -> None:
    """One line of the table."""
    common_names(lists(3))  # HGNC's table and whatever is loaded once
    reset_peak()
    before = peak_gib()
    sections = lists(n_sections)
    held = peak_gib() - before
    started = process_time()
    for section_id, genes in sections.items():
        check_ids(section_id, genes)
    checked = process_time()
    changes = common_names(sections)
    joined = process_time()
    facts = f"{checked - started:.1f} | {joined - checked:.1f} | {held:.2f} | "
    log.info("| %d | %s%.2f | %d |", n_sections, facts, peak_gib() - before, len(changes))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Time and memory of joining gene names.")
    parser.add_argument("--sections", type=int, required=True)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    log.setLevel(logging.INFO)
    measure(parser.parse_args().sections)


if __name__ == "__main__":
    main()
