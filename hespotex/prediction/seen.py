"""What the model saw on one slide: the programmes of its predictions there, in genes and words."""

from pathlib import Path

import numpy as np
import pandas as pd

from hespotex.common.files import file_fingerprint
from hespotex.embeddings.embed import embed_section
from hespotex.encoders.histology import HistologyEncoder
from hespotex.histology.names import statistic_names
from hespotex.prediction.predictor import Predictor
from hespotex.programmes.factors import Array, Covariance, Factors, factors, main_programme
from hespotex.programmes.words import correlations, in_words, standardised, strongest
from hespotex.records.layout import home_of
from hespotex.results.programmes import (
    FILE,
    about,
    because,
    loadings_of,
    read_gene_programmes,
    read_programmes,
    title_of,
)
from hespotex.results.slide.programmes import SlideProgrammes
from hespotex.sections.section import Section

FEWEST_SPOTS = 30
FEWEST_GENES = 10
LEVELS = (1, 2)  # folders between a run and its sweep or bundle
OF_SWEEP = (
    "Programmes, directions of gene space along which the predictions vary, as they were found on"
    " the model's training sections; r and folds are of sections that it never saw. Maps and"
    " patches are of this slide. Words say what goes together, not what causes what."
)
OF_SLIDE = (
    "Programmes, directions of gene space along which the predictions vary, of this slide alone:"
    " how well they hold on sections that the model never saw is not known (hespotex explain SWEEP,"
    " and predict again, tells it). Words say what goes together, not what causes what."
)
NAMELESS = " The encoder's numbers have no names, so that nothing is said of the image here."


class Statistics:
    """Named statistics of the slide's spots, where the encoder has names.

    Args:
        predictor: with its encoder and store.
        section: the slide.
    """

    def __init__(self, predictor: Predictor, section: Section) -> None:
        self.values: Array | None = None
        if isinstance(predictor.encoder, HistologyEncoder):
            rows = embed_section(section, predictor.encoder, predictor.store)
            self.values = np.asarray(rows[:], dtype=np.float64)
            self.names = statistic_names(predictor.encoder.patch_um)
            whole = np.nan_to_num(standardised(self.values))
            self.alike = whole.T @ whole / len(whole)

    def words(self, columns: Array) -> list[str]:
        """What the image is like where each of these is high, (n_spots, k); empty without names."""
        if self.values is None:
            return [""] * columns.shape[1]
        each = correlations(columns, self.values)
        return [in_words(r, self.names, self.alike) for r in each]


def slide_programmes(predictor: Predictor, section: Section, predicted: Array) -> SlideProgrammes:
    """The programmes of the sweep, where `hespotex.explain` has found them, else of the slide.

    Args:
        predictor: the model.
        section: the slide.
        predicted: by the image alone, (n_spots, n_genes).
    """
    spread = predictor.gene_spread
    values = (predicted - predicted.mean(axis=0)) / np.where(spread > 0, spread, np.inf)
    if len(values) < FEWEST_SPOTS or not values.any():
        return SlideProgrammes.none(
            f"No programmes: the slide has {len(values)} spots, and {FEWEST_SPOTS} are wanted."
            if len(values) < FEWEST_SPOTS
            else "No programmes: every gene is predicted constant on this slide."
        )
    statistics = Statistics(predictor, section)
    patch_um = float(min(predictor.encoder.patch_um))
    folder = sweep_of(predictor)
    made = _of_sweep(folder, predictor.genes, values, statistics) if folder else None
    explained, titles, sentences, scores, reasons = made or _of_slide(
        predictor.genes, values, statistics
    )
    return SlideProgrammes(
        explained, titles, sentences, scores.astype(np.float32), reasons, patch_um
    )


def sweep_of(predictor: Predictor) -> Path | None:
    """The folder of the sweep, or the bundle, that holds programmes of this very model."""
    homes = [home_of(Path(path)) for path in predictor.ensemble.fingerprints]
    for folder in dict.fromkeys(home.parents[i - 1] for home in homes for i in LEVELS):
        if not (folder / FILE).is_file():
            continue
        table = read_programmes(folder)
        if table is not None and set(table["model"]) == {str(predictor.about["model"])}:
            return folder
    return None


def programmes_in(predictor: Predictor) -> str:
    """Fingerprint of the programmes that its slides get, or whose they are otherwise."""
    folder = sweep_of(predictor)
    return file_fingerprint(folder / FILE) if folder else "of the slide"


Made = tuple[str, list[str], list[list[str]], Array, dict[str, str]]


def _of_sweep(folder: Path, names: list[str], values: Array, statistics: Statistics) -> Made | None:
    """With the loadings that were found on training sections; None where too few of their genes are
    predicted here.
    """
    table = read_programmes(folder)
    genes = read_gene_programmes(folder)
    place = {gene: i for i, gene in enumerate(names)}
    if table is None or genes is None:
        return None
    genes = genes[[gene in place for gene in genes.index]]
    if len(genes) < FEWEST_GENES:
        return None
    loadings = loadings_of(genes).to_numpy()
    own = values[:, [place[gene] for gene in genes.index]]
    scores = _unit(own @ loadings @ np.linalg.pinv(loadings.T @ loadings))
    shares = _shares(own, scores)
    sentences = [
        [*about(row), f"On this slide: {share:.0%} of the predictions' variance{_there(words)}."]
        for row, share, words in zip(
            table.to_dict("records"), shares, statistics.words(scores), strict=True
        )
    ]
    titles = [title_of(row) for row in table.to_dict("records")]
    reasons = zip(genes.index, genes.to_dict("records"), strict=True)
    return OF_SWEEP, titles, sentences, scores, {str(g): because(row) for g, row in reasons}


def _of_slide(names: list[str], values: Array, statistics: Statistics) -> Made:
    """Found on the slide's own predictions."""
    covariance = Covariance.of([values])
    found = factors(covariance)
    scores = _unit(values @ found.weights)
    words = statistics.words(scores)
    titles = [
        f"Programme {i} of this slide: {share:.0%} of its predictions' variance"
        for i, share in enumerate(found.share, 1)
    ]
    rows = [
        {"genes_up": strongest(column, names), "genes_down": strongest(-column, names), "seen": own}
        for column, own in zip(found.loadings.T, words, strict=True)
    ]
    whole = {"gene_sets": "", "pcc": 1.0, "returned": 1, "n_folds": 1}
    sentences = [about(row | whole) for row in rows]
    reasons = _reasons(names, values, found, covariance, statistics)
    explained = OF_SLIDE + (NAMELESS if statistics.values is None else "")
    return explained, titles, sentences, scores, reasons


def _reasons(
    names: list[str],
    values: Array,
    found: Factors,
    covariance: Covariance,
    statistics: Statistics,
) -> dict[str, str]:
    main, share = main_programme(found.loadings, covariance.variance)
    columns = [f"programme_{i}" for i in range(1, found.loadings.shape[1] + 1)]
    table = pd.DataFrame(found.loadings, columns=columns)
    table = table.assign(programme=main + 1, share=share, seen=statistics.words(values))
    rows = zip(names, table.to_dict("records"), covariance.variance > 0, strict=True)
    return {gene: because(row) for gene, row, varies in rows if varies}


def _there(words: str) -> str:
    return f"; high where there are: {words}" if words else ""


def _unit(scores: Array) -> Array:
    """Columns of variance 1; of a constant one 0."""
    spread = scores.std(axis=0)
    return np.asarray(scores / np.where(spread > 0, spread, np.inf))


def _shares(values: Array, scores: Array) -> Array:
    """Of the variance of all genes, what goes with each score, (k,)."""
    loadings = values.T @ scores / len(values)
    return np.asarray((loadings**2).sum(axis=0) / (values**2).mean(axis=0).sum())
