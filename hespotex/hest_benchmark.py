"""Score an encoder on a HEST-Benchmark bundle: `python -m hespotex.hest_benchmark root=...
encoder=...`; see `--help`.
"""

import json
import logging
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from hespotex.cli.entry import command

log = logging.getLogger("hespotex.hest_benchmark")


@command("hest_benchmark")
def main(cfg: DictConfig) -> None:
    """Command line."""
    log.info("\n%s", benchmark(cfg))


def benchmark(cfg: DictConfig) -> str:
    """Run the tasks, write one JSON each and the table of all encoders so far; returns the table.

    Raises:
        InputError: no bundle, or `name` already stands for another encoder.
    """
    from hespotex.benchmark.table import read_results, render
    from hespotex.benchmark.task import find_tasks, run_task
    from hespotex.common.files import atomic_path, safe_name, write_json
    from hespotex.common.provenance import git_commit, versions
    from hespotex.records.build import build, resolved

    config = resolved(cfg)
    output = Path(config["output"])
    encoder = build(config["encoder"])
    store = build(config["store"])
    about = {
        "encoder": config["encoder"],
        "identity": encoder.identity(),
        "versions": versions(),
        "git_commit": git_commit(),
    }
    for root in find_tasks(Path(config["root"]), config["tasks"]):
        path = output / safe_name(str(config["name"])) / f"{safe_name(root.name)}.json"
        _check_name(path, about["identity"], config)
        result = run_task(root, encoder, store)
        write_json(path, result | about)
        log.info(
            "%s, %s: %.4f (%.4f)", root.name, config["name"], result["pcc_mean"], result["pcc_std"]
        )
    table = render(read_results(output))
    with atomic_path(output / "table.md") as partial:
        partial.write_text(table, encoding="utf-8")
    return table


def _check_name(path: Path, identity: dict[str, Any], config: dict[str, Any]) -> None:
    from hespotex.common.errors import InputError

    if not path.is_file():
        return
    stored = json.loads(path.read_text())
    if (stored["identity"], stored["encoder"].get("patch_um")) != (
        identity,
        config["encoder"].get("patch_um"),
    ):
        raise InputError(
            f"{path} holds the scores of another encoder, {stored['identity']}; choose name=NEW for"
            " this one"
        )


if __name__ == "__main__":
    main()
