"""What the model saw on one slide: the programmes of its predictions there, in genes and words."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

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
    described,
    loadings_of,
    read_gene_programmes,
    read_programmes,
    title_of,
)
from hespotex.results.slide.programmes import SlideProgrammes
from hespotex.sections.section import Section

FEWEST_SPOTS = 30
FEWEST_GENES = 10
MOST_SPOTS = 5000  # on which programmes are found
AT_ONCE = 1024  # spots whose scores are taken together
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


class Predictions:
    """What the image says of a slide, as programmes are looked for in it: centred, in units of the
    genes' spread.

    Programmes are found on some of the spots; all others are only looked at for their scores, some
    at a time.

    Args:
        predicted: (n_spots, n_genes).
        spread: of each gene over training spots, (n_genes,); one without any says nothing.

    Attributes:
        spots: numbers of those that programmes are found on, ascending: all, or `MOST_SPOTS` of
          them, the same ones each time.
        values: their predictions, (len(spots), n_genes).
    """

    def __init__(self, predicted: NDArray[Any], spread: Array) -> None:
        self._predicted = predicted
        self._mean = predicted.mean(axis=0, dtype=np.float64)
        self._unit = np.where(spread > 0, spread, np.inf)
        self.spots = some_of(len(predicted))
        self.values = self._values(self.spots)

    def scores(self, weights: Array) -> Array:
        """Of all spots, (n_spots, k), by weights of the genes (n_genes, k)."""
        return np.concatenate([self._values(block) @ weights for block in self._blocks()])

    def shares(self, scores: Array, genes: Sequence[int]) -> Array:
        """Of the variance of some genes, given by their numbers, what goes with each score
        (n_spots, k) of variance 1, (k,).
        """
        loadings = np.zeros((len(genes), scores.shape[1]))
        total = 0.0
        for block in self._blocks():
            values = self._values(block)[:, genes]
            loadings += values.T @ scores[block] / len(scores)
            total += float((values**2).sum()) / len(scores)
        return np.asarray((loadings**2).sum(axis=0) / total)

    def _blocks(self) -> Iterator[slice]:
        for start in range(0, len(self._predicted), AT_ONCE):
            yield slice(start, start + AT_ONCE)

    def _values(self, spots: slice | NDArray[np.int64]) -> Array:
        return np.asarray((self._predicted[spots] - self._mean) / self._unit)


def some_of(n: int) -> NDArray[np.int64]:
    """At most `MOST_SPOTS` of n spots, ascending; by lot, as a fixed step may meet the grid's."""
    return np.sort(np.random.default_rng(0).permutation(n)[:MOST_SPOTS])


class Statistics:
    """Named statistics of some of the slide's spots, where the encoder has names.

    Args:
        predictor: with its encoder and store.
        section: the slide.
        spots: numbers of the spots.
    """

    def __init__(self, predictor: Predictor, section: Section, spots: NDArray[np.int64]) -> None:
        self.values: Array | None = None
        if isinstance(predictor.encoder, HistologyEncoder):
            rows = embed_section(section, predictor.encoder, predictor.store)
            self.values = np.asarray(rows[spots], dtype=np.float64)
            self.names = statistic_names(predictor.encoder.patch_um)
            whole = np.nan_to_num(standardised(self.values))
            self.alike = whole.T @ whole / len(whole)

    def words(self, columns: Array) -> list[str]:
        """What the image is like where each of these is high, (len(spots), k); empty without
        names.
        """
        if self.values is None:
            return [""] * columns.shape[1]
        each = correlations(columns, self.values)
        return [in_words(r, self.names, self.alike) for r in each]


def slide_programmes(
    predictor: Predictor, section: Section, predicted: NDArray[Any]
) -> SlideProgrammes:
    """The programmes of the sweep, where `hespotex.explain` has found them, else of the slide.

    Args:
        predictor: the model.
        section: the slide.
        predicted: by the image alone, (n_spots, n_genes).
    """
    if len(predicted) < FEWEST_SPOTS:
        return SlideProgrammes.none(
            f"No programmes: the slide has {len(predicted)} spots, and {FEWEST_SPOTS} are wanted."
        )
    predictions = Predictions(predicted, predictor.gene_spread)
    if not predictions.values.any():
        return SlideProgrammes.none(
            "No programmes: every gene is predicted constant on this slide."
        )
    statistics = Statistics(predictor, section, predictions.spots)
    folder = sweep_of(predictor)
    made = _of_sweep(folder, predictor.genes, predictions, statistics) if folder else None
    explained, titles, sentences, scores, reasons = made or _of_slide(
        predictor.genes, predictions, statistics
    )
    patch_um = float(min(predictor.encoder.patch_um))
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


def _of_sweep(
    folder: Path, names: list[str], predictions: Predictions, statistics: Statistics
) -> Made | None:
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
    places = [place[gene] for gene in genes.index]
    scores = _unit(predictions.scores(_weights(loadings_of(genes), places, len(names))))
    rows = table.to_dict("records")
    shares = predictions.shares(scores, places)
    there = _on_this_slide(shares, statistics.words(scores[predictions.spots]))
    sentences = [[*about(row), sentence] for row, sentence in zip(rows, there, strict=True)]
    reasons = zip(genes.index, genes.to_dict("records"), strict=True)
    because_of = {str(gene): because(row) for gene, row in reasons}
    return OF_SWEEP, [title_of(row) for row in rows], sentences, scores, because_of


def _weights(loadings: pd.DataFrame, places: list[int], n_genes: int) -> Array:
    """Of all genes of the model, (n_genes, k), by which the scores fit the loadings best."""
    known = loadings.to_numpy()
    weights = np.zeros((n_genes, known.shape[1]))
    weights[places] = known @ np.linalg.pinv(known.T @ known)
    return weights


def _on_this_slide(shares: Array, words: list[str]) -> list[str]:
    """What each programme has to do with this slide, a sentence each."""
    return [
        f"On this slide: {share:.0%} of the predictions' variance{_there(own)}."
        for share, own in zip(shares, words, strict=True)
    ]


def _of_slide(names: list[str], predictions: Predictions, statistics: Statistics) -> Made:
    """Found on the slide's own predictions."""
    covariance = Covariance.of([predictions.values])
    found = factors(covariance)
    scores = _unit(predictions.scores(found.weights))
    words = statistics.words(scores[predictions.spots])
    titles = [
        f"Programme {i} of this slide: {share:.0%} of its predictions' variance"
        for i, share in enumerate(found.share, 1)
    ]
    sentences = [
        described(_ends(column, names) | {"seen": seen, "gene_sets": ""})
        for column, seen in zip(found.loadings.T, words, strict=True)
    ]
    reasons = _reasons(names, predictions.values, found, covariance, statistics)
    explained = OF_SLIDE + (NAMELESS if statistics.values is None else "")
    return explained, titles, sentences, scores, reasons


def _ends(loadings: Array, names: list[str]) -> dict[str, str]:
    """The genes at either end of a programme."""
    return {"genes_up": strongest(loadings, names), "genes_down": strongest(-loadings, names)}


def _reasons(
    names: list[str],
    values: Array,
    found: Factors,
    covariance: Covariance,
    statistics: Statistics,
) -> dict[str, str]:
    """Of each gene that varies, why it is predicted as it is."""
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
