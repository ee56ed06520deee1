"""The whole demo folder: every section, the tables and the slide without expression."""

import json
import logging
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pandas as pd

from hespotex.demo.expression import plan_genes
from hespotex.demo.section import simulate_section
from hespotex.demo.streams import BARE_INDEX
from hespotex.demo.technologies import technology
from hespotex.demo.write import Value, metadata, write_expression, write_image, write_section

VERSION = 1  # raise it whenever the generator's output changes
RECORD = "demo.json"
TABLE = "HEST_v1_1_0.csv"
WORKERS = 2  # sections in the making: the second takes 600 MB more
logger = logging.getLogger(__name__)


def _read_record(path: Path) -> object:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _is_finished(root: Path, settings: dict[str, int]) -> bool:
    """Say whether `root` already holds this demo; raise if it holds anything else."""
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return False
    record = _read_record(root / RECORD)
    if record == settings:
        return True
    content = (
        f"a demo made with {record}, not {settings}" if record else "something that is not a demo"
    )
    raise ValueError(f"{root} holds {content}: delete it or give another folder")


def _write_tables(root: Path, seed: int, records: list[dict[str, Value]]) -> None:
    # HEST's own table starts with a byte-order mark.
    pd.DataFrame(records).to_csv(
        root / TABLE, index=False, encoding="utf-8-sig", lineterminator="\n"
    )
    genes = plan_genes(seed)
    planted = pd.DataFrame({"gene": genes.names, "driver": genes.driver, "effect": genes.effect})
    planted.to_csv(root / "planted.csv", index=False, float_format="%.6f", lineterminator="\n")


def _write_bare(root: Path, seed: int, spots_per_side: int) -> None:
    """Write the slide without expression and the true log-rates of its driven genes."""
    bare = simulate_section(seed, BARE_INDEX, BARE_INDEX, spots_per_side)
    genes = plan_genes(seed)
    driven = [k for k, effect in enumerate(genes.effect) if effect > 0]
    names = [genes.names[k] for k in driven]
    write_image(root / "bare.tif", bare.image)
    write_expression(
        root / "bare_truth.h5ad", bare.log_rate[:, driven], names, bare.spots, bare.image
    )


def _write_one(root: Path, settings: dict[str, int], number: int) -> dict[str, Value]:
    """Write a section; returns its row of the table."""
    patient = number // settings["sections_per_patient"]
    made_by = technology(patient, bool(settings.get("mixed")))
    simulated = simulate_section(settings["seed"], patient, number, settings["spots_per_side"])
    section = made_by.measure(simulated)
    record = metadata(f"DEMO{number + 1}", patient, number, section, made_by)
    write_section(root, section, record)
    logger.info("demo section %s written", record["id"])
    return record


def _write_all(root: Path, settings: dict[str, int]) -> None:
    for folder in ("st", "wsis", "metadata", "slides"):
        (root / folder).mkdir()
    seed = settings["seed"]
    side = settings["spots_per_side"]
    numbers = range(settings["n_patients"] * settings["sections_per_patient"])
    with ThreadPoolExecutor(WORKERS) as pool:  # NumPy and OpenCV let them work side by side
        records = list(pool.map(partial(_write_one, root, settings), numbers))
    _write_tables(root, seed, records)
    _write_bare(root / "slides", seed, side)
    (root / RECORD).write_text(json.dumps(settings, indent=2), encoding="utf-8")


def make_demo(
    root: Path,
    seed: int = 0,
    n_patients: int = 3,
    sections_per_patient: int = 2,
    spots_per_side: int = 17,
    mixed: bool = False,
) -> Path:
    """Write a synthetic HEST-1k folder with planted signals and return its path.

    Image and expression come from the same simulated tissue, so that a model can learn the
    planted genes; `planted.csv` says what drives each. The same arguments give the same bytes.
    A folder already finished with the same arguments is left as it is.

    Args:
        root: folder to make; it must be absent, empty, or this very demo.
        seed: of everything, including the genes.
        n_patients, sections_per_patient: patients P1, P2, ...; sections DEMO1, DEMO2, ... in the
        order of the patients.
        spots_per_side: spots in a row of the hexagonal 100 um grid; about 0.92 of its square lies
          on tissue.
        mixed: patients are measured by Visium, a Xenium-like panel of a third of the genes, and
          legacy ST with three quarters of them and a pitch of 200 um, in turn.

    Raises:
        ValueError: no patient, no section, or fewer than 3 spots per side.
    """
    settings = {
        "version": VERSION,
        "seed": seed,
        "n_patients": n_patients,
        "sections_per_patient": sections_per_patient,
        "spots_per_side": spots_per_side,
        **({"mixed": 1} if mixed else {}),  # as older demos have it, which lack the word
    }
    if min(n_patients, sections_per_patient) < 1 or spots_per_side < 3:
        raise ValueError(
            f"expected at least 1 patient, 1 section and 3 spots per side, got {settings}"
        )
    root = Path(root)
    if _is_finished(root, settings):
        return root
    _make(root, settings)
    return root


def _make(root: Path, settings: dict[str, int]) -> None:
    """All of it or nothing."""
    root.parent.mkdir(parents=True, exist_ok=True)
    half_done = Path(tempfile.mkdtemp(prefix=f".{root.name}-", dir=root.parent))
    try:
        _write_all(half_done, settings)
        half_done.chmod(0o755)  # mkdtemp makes it private
        half_done.replace(root)
    except OSError:
        # Another process may have finished the same demo meanwhile.
        if not _is_finished(root, settings):
            raise
    finally:
        shutil.rmtree(half_done, ignore_errors=True)
