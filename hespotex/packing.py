"""A cross-validated model as one folder to share: fold checkpoints, genes with their scores, facts
and a model card.
"""

import logging
import shutil
from pathlib import Path, PurePath
from typing import Any

import pandas as pd

from hespotex.checkpoint import read_checkpoint
from hespotex.encoders.pair import part_settings
from hespotex.ensemble import Ensemble, check_written
from hespotex.errors import InputError
from hespotex.failures import Failures
from hespotex.files import atomic_path, read_json, safe_name, write_json
from hespotex.loading import tensor_bytes
from hespotex.locks import alone_in
from hespotex.manifest import MANIFEST, write_manifest
from hespotex.provenance import KEY
from hespotex.results.card import model_card
from hespotex.results.findings import FAIL, count, read_audit
from hespotex.results.runs import BEST, CONFIG, METRICS, PER_GENE, Runs, read_runs
from hespotex.results.slide.evidence import earned_pcc
from hespotex.results.tables import Tables
from hespotex.spreadsheet import write_csv

log = logging.getLogger("hespotex.bundle")
CARD = "README.md"
FACTS = "facts.json"
SHARED = (
    "role",
    "data",
    "encoder",
    "encoder_identity",
    "image_inputs",
    "unit",
    "pitch_um",
    "spot_diameter_um",
    "grid",
    "fold_strategy",
    "versions",
    "git_commit",
)
# of a run's config; the rest tells of the machine
NEEDED = ("data", "encoder", "nuclei", "model", "fold", "seed")


def pack(sweep: Path, output: Path, model: str | None = None, allow_leak: bool = False) -> None:
    """Write `README.md` (model card), `genes.csv`, `facts.json` and `folds/*`, which `predict.py
    checkpoint=OUTPUT` takes.

    Args:
        sweep: folder with the finished runs of all folds.
        output: folder to make; an older bundle there is replaced.
        model: which one, where the sweep has several.
        allow_leak: pack, and label, what has seen its test sections.

    Raises:
        InputError: no such model, leaks, folds that do not belong together, or something else in
          the way.
    """
    with alone_in(output, "give another --output", beside=True):
        _pack_alone(sweep, output, model, allow_leak)


def _pack_alone(sweep: Path, output: Path, model: str | None, allow_leak: bool) -> None:
    _check_output(output)
    unread = Failures("run")
    runs = read_runs(sweep, unread)
    unread.check()  # a fold less would not be noticed
    own = _chosen(runs, model, sweep)
    problems = _problems(own)
    if problems and not allow_leak:
        raise InputError(
            f"{sweep}: these runs leak ({'; '.join(problems)}); --allow-leak packs them all the"
            " same, labelled"
        )
    checkpoints = [Path(run["folder"]) / BEST for run in own]
    check_written(checkpoints)
    ensemble = Ensemble(checkpoints)
    row, sections = _scores(runs, own)
    facts = _facts(ensemble, own, row) | {"problems": problems}
    with atomic_path(output) as part:
        for name, run in _names(own).items():
            _copy(Path(run["folder"]), part / "folds" / name)
        write_csv(_genes(ensemble), part / "genes.csv", index_label="gene", float_format="%.6g")
        (part / CARD).write_text(model_card(facts, row, sections, own), encoding="utf-8")
        write_json(part / FACTS, facts)
        packed = sorted(
            path.relative_to(part).as_posix() for path in part.rglob("*") if path.is_file()
        )
        write_manifest(part, [name for name in packed if name not in (CARD, MANIFEST)])
    for problem in problems:
        log.warning("packed with a leak, and labelled: %s", problem)
    log.info("%s: %d folds of %s; see its README.md", output, len(own), own[0]["model"])


def _check_output(output: Path) -> None:
    if output.exists() and not (output / FACTS).is_file():
        raise InputError(f"{output} is there and is no bundle; give another --output")


def _chosen(runs: Runs, model: str | None, sweep: Path) -> Runs:
    """The runs of the one model and fold strategy that have a checkpoint."""
    # others are scores of external sets
    packable = [run for run in runs if (Path(run["folder"]) / CONFIG).is_file()]
    models = sorted({run["model"] for run in packable})
    if (model is None and len(models) != 1) or (model is not None and model not in models):
        raise InputError(
            f"{sweep} holds checkpoints of {models}; choose one with --model, found {model}"
        )
    own = [run for run in packable if model in (None, run["model"])]
    for run in own:
        if not (Path(run["folder"]) / BEST).is_file():
            raise InputError(
                f"{run['folder']} is finished, but has no {BEST}: a bundle without it would lack a"
                " fold; run it again with restart=true, or move the folder away"
            )
    strategies = sorted({run["fold_strategy"] for run in own})
    if len(strategies) > 1:
        raise InputError(
            f"{sweep} holds folds of several strategies ({', '.join(strategies)}); give the folder"
            " of one sweep"
        )
    return sorted(own, key=lambda run: (run["split"]["index"], run["seed"]))


def _problems(runs: Runs) -> list[str]:
    """All leaks that the runs name themselves, and that the audit found, each once."""
    own = [leak for run in runs for leak in run["leaks"]]
    audited = [
        f"audit, {f.rule}: {f.reason}"
        for run in runs
        for f in read_audit(Path(run["folder"]))
        if f.verdict == FAIL
    ]
    return list(dict.fromkeys([*own, *audited]))


def _scores(runs: Runs, own: Runs) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The model's row of the summary, in which the other models stand for the gain, and its test
    sections.
    """
    strategy = own[0]["fold_strategy"]
    model = own[0]["model"]
    tables = Tables.make([run for run in runs if run["fold_strategy"] == strategy])
    return (
        tables.models[tables.models["model"] == model],
        tables.sections[tables.sections["model"] == model],
    )


def _names(runs: Runs) -> dict[str, dict[str, Any]]:
    """Folder of each run: its fold, and its seed where there are several."""
    several = len({run["seed"] for run in runs}) > 1
    return {
        safe_name(f"{run['split']['index']}" + (f"_seed{run['seed']}" if several else "")): run
        for run in runs
    }


def _facts(ensemble: Ensemble, runs: Runs, row: pd.DataFrame) -> dict[str, Any]:
    about = ensemble.about
    names = list(_names(runs))
    known = [member.get("section_facts", {}) for member in ensemble.members]
    scores = row[["pcc_gene", "low", "high", "n_groups", "pcc_sections", "missing_folds"]].to_dict(
        "records"
    )[0]
    audits = {
        name: count(found)
        for name, run in _names(runs).items()
        if (found := read_audit(Path(run["folder"])))
    }
    return {key: about.get(key) for key in SHARED} | {
        "model": runs[0]["model"],
        "encoder_licence": _licence(about["config"]["encoder"]),
        "n_genes": len(ensemble.genes),
        "groups": sorted(
            {str(facts["group"]) for sections in known for facts in sections.values()}
        ),
        "scores": scores,
        "audit": (
            [f"audit of fold {name}: {words}" for name, words in audits.items()] or ["not audited"]
        ),
        "folds": [
            {
                "folder": f"folds/{name}",
                "seed": member["seed"],
                "trained_on": sorted({*member["split"]["train"], *member["split"]["val"]}),
                "test": member["split"]["test"],
                "panel_fitted_on": member["panel_fitted_on"],
                "data_fingerprint": member["data_fingerprint"],
            }
            for name, member in zip(names, ensemble.members, strict=True)
        ],
    }


def _licence(encoder: dict[str, Any]) -> str | None:
    """As the encoder's config tells it; of a pair both; None for encoders of our own."""
    found = [part.get("licence") for part in part_settings(encoder).values()]
    return "; ".join(licence for licence in found if licence) or None


def _genes(ensemble: Ensemble) -> pd.DataFrame:
    earned = earned_pcc([Path(path) for path in ensemble.fingerprints]).rename(
        columns={"test_sections": "sections"}
    )
    table = earned.reindex(ensemble.genes)
    return table.assign(sections=table["sections"].fillna(0).astype(int))


def _copy(run: Path, fold: Path) -> None:
    """The run's scores, and its checkpoint less what only training needs."""
    (fold / BEST).parent.mkdir(parents=True)
    shutil.copy(run / PER_GENE, fold / PER_GENE)
    metrics = read_json(run / METRICS)
    # it names places
    write_json(fold / METRICS, {key: value for key, value in metrics.items() if key != "command"})
    content = read_checkpoint(run / BEST)
    config = {key: value for key, value in content[KEY]["config"].items() if key in NEEDED}
    about = content[KEY] | {"config": _without_places(config)}
    (fold / BEST).write_bytes(tensor_bytes({"state_dict": dict(content["state_dict"]), KEY: about}))
    write_manifest(fold, (METRICS, PER_GENE, BEST))


def _without_places(value: Any) -> Any:
    """The config without what holds on this machine only: absolute paths become names, and weights
    are the hub's again.
    """
    if isinstance(value, dict):
        return {
            key: None if key == "weights" else _without_places(part) for key, part in value.items()
        }
    if isinstance(value, list):
        return [_without_places(part) for part in value]
    return (
        PurePath(value).name if isinstance(value, str) and PurePath(value).is_absolute() else value
    )
