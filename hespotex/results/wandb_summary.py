"""One W&B run for a whole sweep: tables, figures, maps and the report, beside the runs of its
folds.
"""

import logging
import re
from pathlib import Path
from typing import Any

from hespotex.common.failures import failure_of
from hespotex.common.files import digest
from hespotex.results.html.chapter import Chapter
from hespotex.results.tables.sweep import Tables

log = logging.getLogger(__name__)
WHERE = ("project", "entity", "group")  # of the fold runs' logger


def log_summary(folder: Path, tables: Tables, chapters: list[Chapter], files: list[Path]) -> None:
    """Send the summary to where the folds went; nothing, if they were not logged to W&B.

    The same sweep goes into the same W&B run again. That W&B cannot be reached is a warning: all is
    on disk already.
    """
    logger = next(
        (
            settings
            for run in tables.runs
            if (settings := run.stored_config.get("logger", {}).get("wandb"))
        ),
        None,
    )
    if logger is None:
        return
    import wandb

    where = {name: logger.get(name) for name in WHERE}
    try:
        run = wandb.init(
            **where,
            id=digest([where, str(folder.resolve())]),
            resume="allow",
            job_type="summary",
            name=f"{where['group']} summary",
            dir=folder,
            mode="offline" if logger.get("offline") else None,
        )
        run.log(_tables(tables) | _pictures(chapters))
        run.log_artifact(_report(str(where["group"]), files))
    except Exception as error:  # its client has errors of its own, of requests and of pydantic
        reason = failure_of(error).reason
        log.warning("the summary is in %s, but not in W&B: %s", folder, reason)
    finally:
        wandb.finish()


def _tables(tables: Tables) -> dict[str, Any]:
    import wandb

    models = tables.models.map(
        lambda cell: ", ".join(map(str, cell)) if isinstance(cell, list) else cell
    )
    tables_by_name = {
        "cross_validation": models,
        "sections": tables.sections,
        "genes": tables.genes,
    }
    return {name: wandb.Table(dataframe=table) for name, table in tables_by_name.items()}


def _pictures(chapters: list[Chapter]) -> dict[str, Any]:
    import wandb

    figures = {
        f"{chapter.name}/{drawing.name}": wandb.Image(drawing.figure, caption=drawing.caption)
        for chapter in chapters
        for drawing in chapter.drawings
    }
    maps = {
        f"{chapter.name}/maps": [
            wandb.Image(str(picture.file), caption=picture.text) for picture in chapter.all_maps
        ]
        for chapter in chapters
        if chapter.all_maps
    }
    return figures | maps


def _report(group: str, files: list[Path]) -> Any:
    import wandb

    artifact = wandb.Artifact(re.sub(r"[^\w.-]", "_", f"{group}-report"), type="report")
    for file in files:
        artifact.add_file(str(file))
    return artifact
