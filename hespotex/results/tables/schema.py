"""What stands in each column of the tables that a sweep leaves: one owner for order and meaning."""

from collections.abc import Mapping

import pandas as pd

from hespotex.metrics.names import SECTION_METRICS

# of results.json and of the CSVs; raised when a column changes its meaning or goes away
VERSION = 1
ORIGIN = {
    "sweep": "name of the sweep's folder",
    "data": "data set",
    "encoder": "what turned patches into numbers",
    "unit": "of the expression that was predicted and measured",
    "fold_strategy": "how sections were split; numbers of different strategies do not compare",
    "model": "model; with its encoder where the sweep has several",
}
METRICS = {metric.name: metric.meaning for metric in SECTION_METRICS} | {
    "pcc_shared": "pcc_gene over the genes that all models of the strategy share in the section",
    "n_shared": "number of these genes",
    "pcc_common": "pcc_gene over the genes that are in the panel of every fold of the model",
    "n_common": "number of these genes",
}
SIZES = {"n_spots": "spots of the section", "n_genes": "genes of the panel"}
SECTIONS = ORIGIN | {
    "role": "model, baseline, control or ceiling",
    "seed": "of initial weights, order and dropout",
    "fold": "number of the fold",
    "section_id": "test section",
    "group": "its patient, or what else was kept together",
    **SIZES,
    **METRICS,
    "data_fingerprint": (
        "hash of what the fold was given: embeddings, nuclei, places, graph, expression"
    ),
    "folder": "of the run, from the sweep's folder",
}
GENES = ORIGIN | {
    "gene": "name",
    "pcc": "Pearson correlation over spots, seeds averaged in a section, mean over sections",
    "n_sections": "test sections where the gene has one",
    "n_groups": "groups with such a section",
    "p": "one-sided t-test over sections of pcc above 0",
    "q": "the same by Benjamini-Hochberg over the genes of the model",
    "found": "q at most 0.05",
    "r2": "coefficient of determination, mean over sections; below 0 levels are not predicted",
    "noise_ceiling": (
        "highest pcc that the noise of counting leaves, mean over sections; it bounds that alone"
    ),
    "gain": "mean over sections of the difference to ridge",
    "gain_p": "two-sided t-test over sections of gain",
    "gain_q": "the same by Benjamini-Hochberg",
    "measured_sections": "sections that measured the gene",
    "measured_groups": "groups with such a section",
    "trained_sections": "of the sections that trained, in the fold with the fewest",
    "trained_groups": "groups with such a section",
}
MODELS = {
    "fold_strategy": ORIGIN["fold_strategy"],
    "model": ORIGIN["model"],
    "role": SECTIONS["role"],
    "pcc_gene": (
        "mean over groups of the mean over sections of the mean over seeds; so are all metrics here"
    ),
    "low": "lower end of the 95 % interval of pcc_gene, bootstrap over groups",
    "high": "upper end",
    "n_groups": "groups with a value",
    "pcc_sections": "pcc_gene, mean over sections",
    "without_value": "sections where the model predicts every gene constant",
    "gain": "paired difference of pcc_shared to ridge, mean over groups",
    "gain_low": "lower end of its 95 % interval",
    "gain_high": "upper end",
    "gain_p": "sign-flip test over sections",
    "n_paired": "sections that are paired",
    "genes_found": "genes with a correlation above 0 at a false discovery rate of 5 %",
    "genes_tested": "genes with a p",
    "genes_partly": "genes that some sections did not measure",
    "n_seeds": "seeds",
    "missing_folds": "folds without a finished run",
    "leaks": "what was seen of test sections, in words",
    "seconds": "a run, all stages, mean over runs",
    "spots_per_second": "prediction from embeddings",
    "threads": "of torch",
    "parameters": "numbers fitted and kept",
    "peak_memory_gb": "of the process so far",
    "peak_gpu_gb": "of the process so far; null without a GPU",
    **SIZES,
    **{name: text for name, text in METRICS.items() if name != "pcc_gene"},
}
GENE_SETS = {
    "pcc_gene@SET": (
        "pcc_gene over a gene set chosen on training sections; oracle50: the best on the test"
        " section itself"
    ),
    "n_genes_scored@SET": "its genes that have a correlation",
}


def ordered(table: pd.DataFrame, columns: Mapping[str, str]) -> pd.DataFrame:
    """The table with its known columns first, in the order given; gene sets and unknown columns
    after, by name.
    """
    first = [name for name in columns if name in table]
    return table[[*first, *sorted(str(name) for name in table if name not in columns)]]
