"""One fold strategy of the page."""

import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hespotex.common.progress import progress
from hespotex.results.html import cells
from hespotex.results.html.calibration import calibration
from hespotex.results.html.cells import Cells
from hespotex.results.html.figures import Drawing, drawings
from hespotex.results.html.pictures import Picture, maps, svg
from hespotex.results.html.seen import reasons
from hespotex.results.questions import PROTOCOL, audits
from hespotex.results.report import few_groups, further, notes, title
from hespotex.results.tables.aggregate import by_section, reference
from hespotex.results.tables.statistics import FEW_GROUPS
from hespotex.results.tables.sweep import Tables

N_WORST = 2  # sections that are shown


@dataclass(frozen=True)
class Chapter:
    """What the template shows of one fold strategy, ready to be laid out."""

    name: str
    title: str
    protocol: str
    verdict: str
    leak: str
    audit: str
    notes: list[str]
    main: str
    headline: Cells
    drawings: list[Drawing]
    figures: list[Picture]
    sections: Cells
    groups: Cells
    gene_sets: Cells
    metrics: Cells
    genes: dict[str, Cells]
    worst: Cells
    worst_maps: list[Picture]
    maps: list[Picture]
    cost: Cells

    @property
    def all_maps(self) -> list[Picture]:
        """The maps of the page, those of the worst sections last."""
        return [*self.maps, *self.worst_maps]


def chapters(tables: Tables, root: Path) -> list[Chapter]:
    """A chapter for each fold strategy, those without a leak in the main model first.

    Args:
        tables: of the sweep.
        root: its folder.
    """
    return sorted(
        (chapter(tables.of(strategy), root) for strategy in tables.strategies),
        key=lambda item: bool(item.leak),
    )


def chapter(tables: Tables, root: Path) -> Chapter:
    """Tables, figures and maps of one fold strategy."""
    strategy = tables.strategies[0]
    main = tables.main
    homes = _homes(tables)
    ranked = by_section(tables.sections, main).sort_values("pcc_gene")["section_id"].tolist()
    low = ranked[: min(N_WORST, len(ranked) // 2)]
    typical = dict.fromkeys([ranked[-1], ranked[len(ranked) // 2]])
    curves = {
        section: section_curves
        for section in progress(ranked, "section", f"report, {strategy}")
        if (section_curves := calibration(homes[section], section))
    }
    drawn = drawings(tables, curves)
    sets = [("pcc_gene", "all", ".3f"), *_gene_sets(tables)]
    return Chapter(
        name=strategy,
        title=title(strategy, tables.runs),
        protocol=PROTOCOL.get(strategy, strategy),
        verdict=verdict(tables),
        leak=leak(tables),
        audit=audit(tables),
        notes=notes(tables.models),
        main=main,
        headline=cells.headline(tables),
        drawings=drawn,
        figures=[Picture(svg(drawing.figure), drawing.caption) for drawing in drawn],
        sections=cells.places(tables, ["section_id", "group"]),
        groups=cells.places(tables, ["group"]),
        gene_sets=cells.per_model(tables, sets),
        metrics=cells.per_model(tables, further(tables.models)),
        genes={
            model: cells.genes(tables, model, reasons(root, model, strategy))
            for model in _with_genes(tables)
        },
        worst=cells.worst(tables, low),
        worst_maps=[
            picture
            for section in low
            for picture in maps(homes[section], section, ("median", "named"))
        ],
        maps=[
            picture
            for section in typical
            if section not in low
            for picture in maps(homes[section], section)
        ],
        cost=cells.cost(tables),
    )


def verdict(tables: Tables) -> str:
    """The main result in one sentence or two."""
    row: Any = tables.models.set_index("model").loc[tables.main]
    if not math.isfinite(row["pcc_gene"]):
        return "Every model predicts every gene constant: there is no correlation."
    text = f"{tables.main}: PCC {row['pcc_gene']:.3f}"
    text += f" (95 % interval {row['low']:.3f} to {row['high']:.3f})" if row["n_groups"] > 1 else ""
    text += _of_ceiling(row.get("share_of_ceiling", math.nan))
    if tables.main != reference(tables.main) and math.isfinite(row["gain"]):
        text += f", {row['gain']:+.3f} against ridge"
        interval = (
            f"{row['gain_low']:+.3f} to {row['gain_high']:+.3f}, " if row["n_groups"] > 1 else ""
        )
        text += f" ({interval}p = {row['gain_p']:.2g} over {row['n_paired']} sections)"
    few = f" {few_groups(row['n_groups'])}" if row["n_groups"] < FEW_GROUPS else ""
    return (
        f"{text}. {row['genes_found']} of {row['genes_tested']} genes found at a false discovery"
        f" rate of 5 %.{few}"
    )


def _of_ceiling(share: float) -> str:
    return f", {share:.0%} of what the noise of counting leaves" if math.isfinite(share) else ""


def leak(tables: Tables) -> str:
    """What the main model's runs have seen of the test sections; empty if nothing."""
    leaks: Any = tables.models.set_index("model").loc[tables.main, "leaks"]
    return "; ".join(leaks)


def audit(tables: Tables) -> str:
    """How many runs were audited, and which rules failed in how many."""
    verdicts = audits(tables.runs)
    if not verdicts:
        return "not audited"
    rules = Counter(rule for failed, _ in verdicts.values() for rule in failed)
    failures = ", ".join(f"{rule} failed in {n}" for rule, n in rules.items()) or "no rule failed"
    return f"{len(verdicts)} of {len(tables.runs)} runs audited; {failures}"


def _homes(tables: Tables) -> dict[str, Path]:
    """The run of the main model that tested each section, of the first seed."""
    homes: dict[str, Path] = {}
    for run in sorted(tables.runs_of(tables.main), key=lambda run: run.seed):
        for section in run.sections:
            homes.setdefault(section["section_id"], run.folder)
    return homes


def _gene_sets(tables: Tables) -> list[tuple[str, str, str]]:
    names = sorted(str(name) for name in tables.models if str(name).startswith("pcc_gene@"))
    return [(name, name.removeprefix("pcc_gene@"), ".3f") for name in names]


def _with_genes(tables: Tables) -> list[str]:
    """Models whose genes can be looked at: the main one, others of role "model", ridge."""
    table = tables.models[tables.models["pcc_gene"].notna()]
    candidates = [tables.main, *table[table["role"] == "model"]["model"], reference(tables.main)]
    return [name for name in dict.fromkeys(candidates) if name in set(table["model"])]
