"""The commands that are killed, on a small demo."""

from pathlib import Path

from .killing import Command

# hold the times of the runs
SUMMARY = (
    "summary.md",
    "report/",
    "results.json",
    "models.csv",
    "sections.csv",
    "audit.json",
)


def commands(demo: Path, sweep: Path, work: Path) -> dict[str, Command]:
    """By verb.

    Args:
        demo: data set.
        sweep: finished, for the verbs that take one: its folder inside `work`.
        work: folder of outputs and store.
    """
    data = [
        "data=hest",
        f"data.reader.root={demo}",
        "data.reader.sections=[DEMO1,DEMO3,DEMO5]",
        "encoder=random_vit",
    ]
    data += [
        f"paths.store={work / 'store'}",
        f"paths.outputs={work}",
        "data.panel.n_top=10",
        "~callbacks.progress",
    ]
    sweeping = ["-m", "fold.index=0,1", "model=ridge", "name=made", *data]
    slides = [
        f"slides={demo}/slides/bare.tif",
        f"output={work}/predicted",
        f"checkpoint={sweep}",
        f"paths.store={work}/store",
    ]
    return {
        "train": Command(
            "hespotex.train",
            ["model=mlp", "model.max_epochs=3", "name=made", *data],
        ),
        "embed": Command("hespotex.embed", data),
        "sweep": Command("hespotex.train", sweeping, SUMMARY),
        "predict": Command("hespotex.predict", [*slides, "map_genes=[]"]),
        "summary": Command("hespotex.summary", [str(sweep)]),
        "bundle": Command("hespotex.bundle", [str(sweep), "--output", str(work / "bundle")]),
    }
