"""`run.txt`: what a folder of results holds, what made it, how good it is, and what to do next."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

import hespotex
from hespotex.cli.recorded import given_command, sweep_command
from hespotex.common.counted import counted
from hespotex.common.files import atomic_path, visible
from hespotex.results.slide.request import MODEL, facts_of
from hespotex.results.slide.trust import trust_of
from hespotex.results.tables.markdown import number
from hespotex.results.tables.sweep import Tables

GUIDE = "run.txt"
FILES = {  # in the order in which a reader wants them
    "report/index.html": "the report: open it in any browser",
    "summary.md": "the same tables as text",
    "results.json": "every number of the tables, and what each column means",
    "models.csv": "a row for each model, with intervals and gains",
    "models.tex": "the same as LaTeX, for a paper",
    "sections.csv": "a row for each run and test section",
    "genes.csv": "a row for each model and gene, with false discovery rate",
    "programmes/programmes.csv": (
        "what the model saw: programmes of genes, and the image where they are high"
    ),
    "trials.csv": "of a search: score and settings of each trial; the best is used",
    "search.json": "marks the folder of a search",
    "optimization_results.yaml": "the best trial, as the sweeper keeps it",
    "metrics.json": (
        "scores: test/* over the test sections, then each section; leaks, cost, versions"
    ),
    "per_gene.csv": "a row for each test section and gene",
    "predictions/*_predicted.h5ad": (
        "each test section (AnnData; positions and thumbnail inside): what the model says, and in"
        ' layers["measured"] what was measured, in the same unit'
    ),
    "maps/*.png": "maps of chosen genes",
    "partial.png": "curves: what spots of the test sections add that were measured and given",
    "partial.md": "the same as a table; no prediction without measurement",
    "partial_table.csv": "the same for other programs",
    "partial.csv": "a row for each section, way, share, draw and method",
    "index.html": "all slides, a row each, with what to be careful about: open it first",
    "*.html": "a slide to pan and zoom, gene by gene: open it in any browser",
    "*_tiles/": "pictures by which that page zooms to nuclei; keep them beside it",
    "*.h5ad": "prediction of a slide (AnnData: expression, positions, strangeness)",
    "*_spots.csv": "the same as a table",
    "*_spots.parquet": "the same as a table",
    "*_spots.geojson": "spots for QuPath: map_genes, else the best predicted genes",
    "*_tissue.geojson": "outline of the tissue that was found, for QuPath",
    "*_tissue.png": "the same drawn on the slide: look at it",
    "*_regions.csv": "mean of each gene in each region, the best predicted genes first",
    "region_differences.csv": "differences between classes of regions, over slides",
    "*.zarr": "SpatialData",
    "failed.csv": "what failed (slides, sections or folds), its kind of error, and why",
    "failed_jobs.csv": "which jobs of the sweep failed, and why; each has a folder of this number",
    "checkpoints/best.ckpt": "the model of the chosen epoch: predict.py checkpoint=... takes it",
    "checkpoints/last.ckpt": "where an interrupted run goes on",
    "audit.json": "what each fitted thing has seen, derived anew",
    "split.json": "which sections train, validate and test",
    "config.json": "every setting of the run",
    "files.json": (
        "size and hash of the files that are read again: a torn or changed one is refused"
    ),
    "csv/metrics.csv": "loss and validation scores of each epoch",
    "wandb/": "the run as W&B keeps it",
    "tensorboard/": "the run as TensorBoard keeps it: tensorboard --logdir FOLDER shows it",
    "multirun.yaml": "the words of the sweep, as Hydra keeps them",
    ".hydra/": "the words of the run, as Hydra keeps them",
    "*.log": "messages",
}


def write_guide(
    folder: Path, about: list[str], then: dict[str, str], missing_yet: tuple[str, ...] = ()
) -> None:
    """Write `run.txt`.

    Args:
        folder: of the results.
        about: first lines: what this is and how good.
        then: commands, and what they do.
        missing_yet: files of `FILES` that are about to be written.
    """
    here = {
        name: text
        for name, text in FILES.items()
        if name in missing_yet or any(folder.glob(name.rstrip("/")))
    }
    date_line = f"Written {datetime.now():%Y-%m-%d %H:%M} by HESpotEx {hespotex.__version__}."
    content = [
        *about,
        date_line,
        "",
        "What is here",
        *_columns(here),
        "",
        "What to do next",
        *_columns(then),
    ]
    with atomic_path(folder / GUIDE) as partial:
        partial.write_text("\n".join(content) + "\n", encoding="utf-8")


def _columns(table: dict[str, str]) -> list[str]:
    width = max(map(len, table), default=0)
    return [f"  {name:{width}}  {text}".rstrip() for name, text in table.items()]


def guide_run(folder: Path, metrics: dict[str, Any]) -> None:
    """The guide of one run, from what its `metrics.json` will say."""
    split = metrics["split"]
    fold = (
        ""
        if metrics["fold_strategy"] == "external"
        else f", fold {split['index']} of {split['n_folds']}"
    )
    about = [
        (
            f"{metrics['model']} on {metrics['data']}, encoder {metrics['encoder']}{fold}"
            f" ({metrics['fold_strategy']}), seed {metrics['seed']}"
        ),
        _score(metrics),
        (
            f"Trained on {_names(split['train'])}; epoch chosen on {_names(split['val'])}; tested"
            f" on {_names(split['test'])}."
        ),
        "Leaks: " + ("; ".join(metrics["leaks"]) or "none that the run knows of"),
        f"Made by: {metrics.get('command') or 'a call from Python'}",
    ]
    home = _relative(folder)
    then = {
        f"python -m hespotex.summary {home.parent}": "tables and report of all runs beside this one"
    }
    if (folder / "checkpoints" / "best.ckpt").is_file():
        then[f"python -m hespotex.audit {home}"] = (
            "fit everything again on the training sections alone, and compare"
        )
        then[f"python predict.py checkpoint={home}/checkpoints/best.ckpt slides=..."] = (
            "predict slides"
        )
        then["the same command again"] = (
            "goes on after an interruption, else finds it finished; restart=true repeats it"
        )
    write_guide(folder, about, then, missing_yet=("metrics.json",))


def _score(metrics: dict[str, Any]) -> str:
    """How good the run is on its test sections, in one line."""
    sections = metrics["sections"]
    if not sections:
        return (
            "No score of its own: every section trained. genes.csv, where it is, has those of the"
            " cross-validation"
        )
    each = ", ".join(f"{row['section_id']} {number(row['pcc_gene'])}" for row in sections)
    return (
        f"PCC {number(metrics['test/pcc_gene'])} over genes and test sections ({each}); RMSE"
        f" {metrics['test/rmse']:.3f} ({metrics['unit']})"
    )


def guide_sweep(folder: Path, tables: Tables) -> None:
    """The guide of a folder of runs; a run's own folder keeps its own."""
    if (folder / "metrics.json").is_file():
        return
    about = [
        f"{len(tables.runs)} finished runs on {tables.runs[0].data}",
        *_scores(tables.models),
        *_runs(tables, folder),
    ]
    home = _relative(folder)
    main = tables.main.partition(",")[0]
    then = {
        f"open {home}/report/index.html": "read",
        f"python -m hespotex.summary {home}": (
            "make tables and report again, when runs have come or gone"
        ),
        f"python -m hespotex.explain {home}": "what the model saw: programmes, genes, statistics",
        f"python -m hespotex.finalize {home} --model {main}": "fit it on all sections, for use",
        f"python predict.py checkpoint={home} slides=...": (
            "predict slides with what finalize has fitted; without it with the mean of all folds"
        ),
        f"python -m hespotex.bundle {home} --model {main}": (
            "pack a model with its scores, to share"
        ),
        "the same command again": "runs what is missing, skips what is finished",
    }
    write_guide(folder, [*about, f"Made by: {sweep_command(folder) or 'single runs'}"], then)


def _scores(models: pd.DataFrame) -> list[str]:
    """A line for each fold strategy and model."""
    return [
        f"{row['model']}, {row['fold_strategy']}: PCC {number(row['pcc_gene'])} over"
        f" {row['n_groups']} groups"
        + (f"; folds missing: {row['missing_folds']}" if row["missing_folds"] else "")
        + ("; LEAK" if row["leaks"] else "")
        for row in models.to_dict("records")
    ]


def _runs(tables: Tables, folder: Path) -> list[str]:
    titles = {run.folder.relative_to(folder).as_posix(): run.title for run in tables.runs}
    return ["", "Runs, each with a run.txt of its own", *_columns(titles), ""]


def guide_slides(folder: Path, checkpoint: Any) -> None:
    """The guide of a folder of predicted slides; none where there is no slide."""
    slides = visible(folder, "*.h5ad")
    home = _relative(folder)
    if not slides:
        return
    then = {
        f"open {home}/index.html": "look",
        f"python -m hespotex.cohort {home}": (
            "one table of all slides: pseudobulk, gene sets, bulk RNA, survival"
        ),
        "the same command again": "predicts what is missing; restart=true predicts all anew",
    }
    about = [
        f"{counted(len(slides), 'slide')}; the last command used {checkpoint}",
        f"Made by: {given_command()}",
    ]
    facts_by_slide = {table.stem: facts_of(table) or {} for table in slides}
    makers = _columns({slide: _made_by(facts) for slide, facts in facts_by_slide.items()})
    careful = [line for slide, facts in facts_by_slide.items() for line in _warnings(slide, facts)]
    if careful:
        about += ["", "What to be careful about", *careful]
    write_guide(folder, [*about, "", "Slides, and what each was predicted with", *makers, ""], then)


def _warnings(slide: str, facts: dict[str, Any]) -> list[str]:
    """A line for each doubt and remark on a slide."""
    trust = trust_of(facts)
    doubts = [f"  {slide}: DO NOT TRUST: {reason}" for reason in trust.doubts]
    return doubts + [f"  {slide}: {reason}" for reason in trust.remarks]


def _made_by(facts: dict[str, Any]) -> str:
    """The model that a slide's own table names."""
    names = [str(facts.get(name, "unknown")) for name in ("model", "data", "encoder", MODEL)]
    measured = f"; {facts['given']}" if facts.get("given") else ""
    unit = f"; values are {facts['unit']}" if facts.get("unit") else ""
    return "{} on {}, encoder {}; checkpoint {}".format(*names) + unit + measured


def _relative(folder: Path) -> Path:
    """As one would type it in the folder where the command was given."""
    here = Path.cwd()
    path = folder.absolute()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _names(ids: list[str]) -> str:
    """Up to six section ids."""
    return (", ".join(ids[:6]) + (f" and {len(ids) - 6} more" if len(ids) > 6 else "")) or "nothing"
