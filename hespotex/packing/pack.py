"""Write a bundle: the model to use, genes with their scores, facts and a model card."""

import logging
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from hespotex.common.errors import InputError
from hespotex.common.files import atomic_path, write_json
from hespotex.common.locks import alone_in
from hespotex.packing.contents import Contents
from hespotex.packing.copies import copy_final, copy_fold, copy_programmes
from hespotex.packing.facts import bundle_facts
from hespotex.prediction.choice import Chosen, choose
from hespotex.records.layout import BUNDLE
from hespotex.records.manifest import MANIFEST, write_manifest
from hespotex.records.record import Runs
from hespotex.records.remarks import REMARKS
from hespotex.results.card import model_card
from hespotex.results.findings import FAIL, read_audit
from hespotex.results.tables.final import write_genes
from hespotex.results.tables.sweep import Tables

log = logging.getLogger("hespotex.bundle")
CARD = "README.md"


def pack(
    sweep: Path,
    output: Path,
    model: str | None = None,
    allow_leak: bool = False,
    folds: bool = False,
    told: Mapping[str, str] | None = None,
) -> None:
    """Write `README.md` (model card), `genes.csv`, `facts.json`, and `final/MODEL` or `folds/*`,
    which `predict.py checkpoint=OUTPUT` takes.

    Args:
        sweep: folder with the finished runs of all folds.
        output: folder to make; an older bundle there is replaced.
        model: which one, where the sweep has several.
        allow_leak: pack, and label, what has seen its test sections.
        folds: pack the folds beside the model on all sections; they are packed in any case where
          there is no such model.
        told: words of `REMARKS` for the card, such as the tissue.

    Raises:
        InputError: no such model, leaks, folds that do not belong together, or something else in
          the way.
    """
    with alone_in(output, "give another --output", beside=True):
        contents, problems = _checked(sweep, output, model, allow_leak, folds)
        with atomic_path(output) as partial:
            copy_programmes(sweep, partial, contents.chosen.name)
            _write(partial, contents, problems, told or {})
    for problem in problems:
        log.warning("packed with a leak, and labelled: %s", problem)
    log.info("%s: %s; see its README.md", output, contents.summary())


def _checked(
    sweep: Path, output: Path, model: str | None, allow_leak: bool, folds: bool
) -> tuple[Contents, list[str]]:
    """What goes in, and the leaks of it."""
    _check_output(output)
    chosen = choose(sweep, model)
    problems = _problems(chosen.runs)
    if problems and not allow_leak:
        raise InputError(
            f"{sweep}: these runs leak ({'; '.join(problems)}); --allow-leak packs them all the"
            " same, labelled"
        )
    return Contents.of(sweep, chosen, folds), problems


def _check_output(output: Path) -> None:
    if output.exists() and not (output / BUNDLE).is_file():
        raise InputError(f"{output} is there and is no bundle; give another --output")


def _problems(runs: Runs) -> list[str]:
    """All leaks that the runs name themselves, and that the audit found, each once."""
    recorded = [leak for run in runs for leak in run.leaks]
    audited = [
        f"audit, {f.rule}: {f.reason}"
        for run in runs
        for f in read_audit(run.folder)
        if f.verdict == FAIL
    ]
    return list(dict.fromkeys([*recorded, *audited]))


def _write(
    bundle: Path, contents: Contents, problems: list[str], remarks: Mapping[str, str]
) -> None:
    """All files of the bundle; the card and the facts last."""
    for name, run in contents.folds.items():
        copy_fold(run.folder, bundle / "folds" / name)
    if contents.final is not None:
        copy_final(contents.final, bundle / contents.final_name, contents.genes, contents.about)
    write_genes(contents.genes, bundle / "genes.csv")
    row, sections = _scores(contents.chosen)
    facts = bundle_facts(contents, row) | {"problems": problems}
    facts |= {name: remarks.get(name) for name in REMARKS}
    card = model_card(facts, row, sections, contents.chosen.runs)
    (bundle / CARD).write_text(card, encoding="utf-8")
    write_json(bundle / BUNDLE, facts)
    packed = sorted(
        path.relative_to(bundle).as_posix() for path in bundle.rglob("*") if path.is_file()
    )
    write_manifest(bundle, [name for name in packed if name not in (CARD, MANIFEST)])


def _scores(chosen: Chosen) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The model's row of the summary, in which the other models stand for the gain, and its test
    sections; empty where nothing was scored.
    """
    if not chosen.runs:
        return pd.DataFrame(), pd.DataFrame()
    strategy = chosen.runs[0].fold_strategy
    tables = Tables.make([run for run in chosen.every_run if run.fold_strategy == strategy])
    models = tables.models
    sections = tables.sections
    return (
        models[models["model"] == chosen.name],
        sections[sections["model"] == chosen.name],
    )
