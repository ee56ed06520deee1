"""Rules on training and testing: how many sections trained, what chose the epoch, where the test
scores come from.
"""

import math
from pathlib import Path

import pandas as pd

from hespotex.auditing.case import Case
from hespotex.auditing.fitted import rederived
from hespotex.metrics import gene_pearson
from hespotex.results.findings import FAIL, PASS, UNCHECKED, Finding

SHORTENED = ("limit_train_batches", "accumulate_grad_batches", "fast_dev_run", "max_steps")
# of a Pearson; mixed precision rounds, and this is repeated in single precision
SCORE = 2e-3
SCORE_MIXED = 2e-2


def tolerance(case: Case) -> float:
    """How far a score may lie from its repetition."""
    return SCORE if case.precise else SCORE_MIXED


def _equal(a: float, b: float, within: float) -> bool:
    """The same score, or none on both sides: a constant prediction has no correlation."""
    return abs(a - b) <= within or (math.isnan(a) and math.isnan(b))


def check_training(case: Case) -> Finding:
    """The optimiser has taken as many steps as the training sections make, not one more."""
    checkpoint = case.record.checkpoint
    config = case.record.config
    steps = int(checkpoint["global_step"])
    n_train = len(case.record.ids("train"))
    if steps == 0:
        return Finding("training", PASS, "no epochs: the model is fitted in closed form")
    if set_ := [
        name for name in SHORTENED if config["trainer"].get(name) not in (None, False, 1.0)
    ]:
        return Finding(
            "training",
            UNCHECKED,
            f"trainer.{set_[0]} is set: steps tell nothing of the number of sections",
        )
    sizes = [case.record.about["section_facts"][i]["n_spots"] for i in case.record.ids("train")]
    per_epoch = case.batching.n_steps(sizes, len(case.panel.genes))
    epochs = int(checkpoint["epoch"]) + 1
    if steps != epochs * per_epoch:
        return Finding(
            "training",
            FAIL,
            f"{steps} steps in {epochs} epochs, but {n_train} sections make {per_epoch} an epoch",
        )
    return Finding(
        "training", PASS, f"{epochs} epochs of {per_epoch} steps: the {n_train} training sections"
    )


def check_epoch(case: Case) -> Finding:
    """The score that chose the epoch is that of the validation sections, none of which is
    tested.
    """
    record = case.record
    val = record.ids("val")
    test = record.ids("test")
    setting = "model.select_on=test" if record.config["model"]["select_on"] == "test" else None
    if shared := set(val) & set(test):
        return Finding(
            "epoch", FAIL, f"chosen on test sections: {' '.join(sorted(shared))}", setting
        )
    if not val:
        return _last_epoch(case)
    if wrong := _not_the_best(case):
        return Finding("epoch", FAIL, wrong, setting)

    def compare() -> Finding:
        score = float(record.metrics["val_score"])
        again = case.epoch_score(val)
        if _equal(score, again, tolerance(case)):
            return Finding(
                "epoch", PASS, f"the validation sections give its score again: {again:.3f}"
            )
        tested = _equal(score, case.epoch_score(test), tolerance(case))
        whose = "that is what the test sections give" if tested else f"they give {again:.3f}"
        return Finding(
            "epoch",
            FAIL,
            f"its score, {score:.3f}, is not that of the validation sections: {whose}",
        )

    return rederived("epoch", compare)


def _last_epoch(case: Case) -> Finding:
    """Without validation sections nothing may choose."""
    checkpoint = case.record.checkpoint
    planned = case.record.config["trainer"]["max_epochs"]
    if checkpoint["global_step"] and checkpoint["epoch"] + 1 != planned:
        reason = (
            f"no validation sections, yet epoch {checkpoint['epoch'] + 1} of {planned} was kept:"
            " what chose it?"
        )
        return Finding("epoch", FAIL, reason)
    return Finding("epoch", PASS, "no validation sections: the last epoch is kept")


def _not_the_best(case: Case) -> str | None:
    """In words, if the log of the validation scores has its best epoch elsewhere."""
    path = case.record.folder / "csv" / "metrics.csv"
    table = pd.read_csv(path) if path.is_file() else pd.DataFrame()
    if not case.record.checkpoint["global_step"] or "val/pcc_gene" not in table:
        return None
    scores = table.dropna(subset="val/pcc_gene").groupby("epoch")["val/pcc_gene"].last()
    epoch = int(case.record.checkpoint["epoch"])
    if epoch not in scores or scores[epoch] >= scores.max() - tolerance(case):
        return None
    return f"epoch {epoch} was kept, but the validation sections score best at {scores.idxmax()}"


def check_embeddings(case: Case) -> Finding:
    """Each test prediction comes from the section's own image: made again from it alone, it is the
    same.
    """
    way = case.record.about["image_inputs"]["standardize"]
    if case.record.config["model"]["role"] == "ceiling":
        return Finding(
            "embeddings",
            FAIL,
            "a ceiling looks expression up in sections of the test group",
            "model=ceiling",
        )

    def compare() -> Finding:
        wrong = [i for i in case.record.ids("test") if not _predicted_again(case, i)]
        if wrong:
            return Finding(
                "embeddings",
                FAIL,
                f"from their own images, {' '.join(wrong)} get other predictions",
            )
        return Finding(
            "embeddings",
            PASS,
            f"standardize={way}: each test section alone gives its predictions again",
        )

    return rederived("embeddings", compare)


def _predicted_again(case: Case, section_id: str) -> bool:
    """Whether the stored prediction is repeated, up to rounding, as a share of its spread over
    spots.
    """
    again = case.predicted(section_id)
    stored = case.stored(section_id)
    if again.shape != stored.shape:
        return False
    error = (again - stored).square().mean().sqrt()
    spread = (stored - stored.mean(0)).square().mean().sqrt()
    return bool(error <= (1e-3 if case.precise else 0.1) * spread + 1e-6)


def check_test(case: Case) -> Finding:
    """The test sections were scored once, and the scores are those of the stored predictions
    against the counts.
    """
    if (times := _times_scored(case.record.folder)) > 1:
        return Finding(
            "test",
            FAIL,
            f"the log holds {times} test scores: the test sections were looked at before the end",
        )
    rows = {row["section_id"]: row["pcc_gene"] for row in case.record.metrics["sections"]}
    if set(rows) != set(case.record.ids("test")):
        return Finding(
            "test",
            FAIL,
            f"scored: {' '.join(sorted(rows))}; the test sections:"
            f" {' '.join(case.record.ids('test'))}",
        )

    def compare() -> Finding:
        for section_id, score in rows.items():
            again = float(
                gene_pearson(case.stored(section_id), case.measured(section_id)).nanmean()
            )
            if not _equal(again, score, SCORE):
                return Finding(
                    "test",
                    FAIL,
                    f"{section_id}: PCC {score:.3f} is told, the predictions give {again:.3f}",
                )
        return Finding(
            "test", PASS, "scored once, and the stored predictions give the scores again"
        )

    return rederived("test", compare)


def _times_scored(folder: Path) -> int:
    """Rows of the run's log with a test score."""
    path = folder / "csv" / "metrics.csv"
    table = pd.read_csv(path) if path.is_file() else pd.DataFrame()
    columns = [name for name in table if str(name).startswith("test/")]
    return int(table[columns].notna().any(axis=1).sum()) if columns else 0
