"""HEST-1k sections from the Hugging Face hub: the chosen ids only."""

import logging
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from hespotex.common.counted import counted
from hespotex.common.errors import InputError
from hespotex.common.hub import ask
from hespotex.sections.readers.hest.table import (
    Select,
    newest_table,
    read_sample_table,
    select_ids,
    selects,
)

log = logging.getLogger(__name__)

REPOSITORY = "MahmoodLab/hest"
PAGE = "https://huggingface.co/datasets/MahmoodLab/hest"
ALWAYS = ("st", "metadata")
NO_ACCESS = (
    f"no access to HEST-1k: visit {PAGE}, log in, accept its terms (granted at once), then run `hf"
    " auth login` with a read token and start again"
)
FAILED = (
    f"HEST-1k could not be fetched from {PAGE} ({{error}}). Is there a network (and no"
    " HF_HUB_OFFLINE), and room on the disk? The same command goes on where it stopped;"
    " data.download=false uses what is there"
)


def download_folders(folders: Sequence[str] | None, source: str) -> list[str]:
    """Folders to fetch: `st`, `metadata` and those given: by default what `source` needs."""
    return list(
        dict.fromkeys([*ALWAYS, *(folders or ["patches" if source == "patches" else "wsis"])])
    )


def fetch(
    root: Path,
    folders: Sequence[str],
    select: Select | None = None,
    sections: Sequence[str] | None = None,
) -> None:
    """Fetch the chosen sections that `root` lacks, and the sample table first. What is there is not
    asked for again.

    Args:
        root: the HEST-1k folder, made where it is missing.
        folders: which folders of the data set.
        select: filters of `select_ids`.
        sections: ids; with both, ids that are in both.

    Raises:
        InputError: nothing is chosen, no access, no network, or an id that the hub lacks.
    """
    if not sections and not selects(select):
        raise InputError(
            "data.download=true without a choice would fetch all of HEST-1k, over a terabyte:"
            " choose sections with data.select (for example data.select.organ=Bowel) or"
            " data.reader.sections=[TENX95,TENX99]"
        )
    root.mkdir(parents=True, exist_ok=True)
    table = read_sample_table(root)
    if table is None:
        _fetch_table(root)
        table = read_sample_table(root)
    if table is None:
        raise InputError(
            f"no sample table HEST_v*.csv came from {PAGE} into {root}; fetch it by hand"
        )
    ids = select_ids(table, select or {})
    if sections:
        ids = [name for name in select_ids(table, {"ids": list(sections)}) if name in ids]
    absent = [name for name in ids if lacking(root, name, folders)]
    n_sections = counted(len(ids), "section")
    log.info("HEST-1k: %s chosen, %d to fetch into %s", n_sections, len(absent), root)
    if absent:
        _fetch_sections(root, absent, folders)


def lacking(root: Path, section_id: str, folders: Sequence[str]) -> list[str]:
    """The folders that hold no file of this section."""
    return [name for name in folders if not any((root / name).glob(f"{section_id}[_.]*"))]


def patterns(ids: Sequence[str], folders: Sequence[str]) -> list[str]:
    """Glob patterns of the files of these sections: TENX1 must not bring TENX10."""
    return [f"{folder}/{name}[_.]**" for name in ids for folder in folders]


def _fetch_table(root: Path) -> None:
    import huggingface_hub as hub

    names = _ask_hub(hub.list_repo_files, REPOSITORY, repo_type="dataset")
    name = newest_table(names)
    if name is None:
        raise InputError(f"{PAGE} holds no sample table HEST_v*.csv; put one into {root}")
    _ask_hub(hub.hf_hub_download, REPOSITORY, name, repo_type="dataset", local_dir=root)


def _fetch_sections(root: Path, ids: list[str], folders: Sequence[str]) -> None:
    import huggingface_hub as hub

    globs = patterns(ids, folders)
    _ask_hub(
        hub.snapshot_download,
        repo_id=REPOSITORY,
        repo_type="dataset",
        local_dir=root,
        allow_patterns=globs,
    )
    if absent := [name for name in ids if lacking(root, name, ALWAYS)]:
        raise InputError(
            f"after the download {root} still lacks st/ or metadata/ of {absent}: either {PAGE}"
            " does not hold them, or the network failed meanwhile. Run the same command again: it"
            " goes on where it stopped"
        )
    for name in ids:
        if empty := lacking(root, name, folders):
            log.warning("%s: the hub has nothing in %s", name, empty)


def _ask_hub(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """The answer of the hub's client, its errors in words."""
    return ask(partial(call, *args, **kwargs), NO_ACCESS, FAILED)
