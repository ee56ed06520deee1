"""Rules on what is fitted in closed form: each is fitted again on the training sections alone, and
must come out the same.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from hespotex.auditing.case import Case
from hespotex.batches.prepare import training_scale
from hespotex.common.errors import InputError
from hespotex.common.loading import load_tensors
from hespotex.genes.directions import Directions
from hespotex.records.checkpoint import fresh_target, rebuilt_module
from hespotex.results.about import trained_in
from hespotex.results.findings import FAIL, PASS, RECORDED, UNCHECKED, Finding
from hespotex.splits.split import Split
from hespotex.training.calibrate import fit_at_once
from hespotex.training.teacher import mean_row, teacher_path, teacher_scaling

SCALING = ("gene_mean", "gene_std")


def held_out(
    rule: str, fitted_on: Sequence[str], case: Case, setting: str | None = None
) -> Finding | None:
    """A failure if the record itself names sections beyond the training sections."""
    beyond = sorted(set(fitted_on) - set(case.record.ids("train")))
    return (
        Finding(rule, FAIL, f"saw {' '.join(beyond)}, which did not train", setting)
        if beyond
        else None
    )


def rederived(rule: str, compare: Callable[[], Finding]) -> Finding:
    """The comparison's finding, or that the data for it is not there."""
    try:
        return compare()
    except InputError as error:
        return Finding(rule, UNCHECKED, f"{RECORDED}{error}")


def check_panel(case: Case) -> Finding:
    """The rule picks the checkpoint's genes from the training sections alone."""
    about = case.record.about
    config = case.record.config["data"]["panel"]
    setting = "data/panel=published" if config["_target_"].endswith("PublishedGenes") else None

    def compare() -> Finding:
        train = case.record.ids("train")
        again = case.data_set.panel(config, train).genes
        if again == about["genes"]:
            return Finding(
                "panel", PASS, f"the training sections alone give the same {len(again)} genes"
            )
        differing = len(set(again) ^ set(about["genes"]))
        together = (
            case.data_set.panel(config, [*train, *case.record.ids("test")]).genes == about["genes"]
        )
        whose = (
            "it is that of training and test sections together"
            if together
            else f"{differing} genes differ"
        )
        return Finding("panel", FAIL, f"not the panel of the training sections: {whose}", setting)

    sources = [*about["panel_fitted_on"], *about.get("gene_sets", {}).get("fitted_on", [])]
    return held_out("panel", sources, case, setting) or rederived("panel", compare)


def check_genes_measured(case: Case) -> Finding:
    """As many training sections measured each gene as the run says, and at least one."""
    about = case.record.about
    recorded = about["genes_trained_in"]
    if lost := [
        gene for gene, n in zip(about["genes"], recorded["sections"], strict=True) if n < 1
    ]:
        unmeasured = f"no training section measured {', '.join(lost[:5])}"
        return Finding("genes measured", FAIL, f"{unmeasured}: they were learned from nothing")

    def compare() -> Finding:
        again = trained_in(case.fold("train"))
        if again != recorded:
            reason = "other training sections measured the genes than the run says"
            return Finding("genes measured", FAIL, reason)
        few = min(recorded["sections"])
        every = len(case.record.ids("train"))
        reason = f"each gene was measured in {few} or more of the {every} training sections"
        return Finding("genes measured", PASS, reason)

    return rederived("genes measured", compare)


def check_target(case: Case) -> Finding:
    """What the target was fitted to (such as the largest residual) comes from the training sections
    alone.
    """
    about = case.record.about
    if not about["expression_fitted_on"] and not about.get("expression_state"):
        return Finding("target", PASS, f"{about['unit']}: nothing is fitted")

    def compare() -> Finding:
        target = fresh_target(case.record.config)
        target.fit([case.data_set.section(i) for i in sorted(case.record.ids("train"))], case.panel)
        again = target.state()
        recorded = about["expression_state"]
        wrong = [
            name for name in recorded if not np.allclose(recorded[name], again[name], rtol=1e-5)
        ]
        if wrong:
            return Finding(
                "target",
                FAIL,
                f"{', '.join(wrong)} of the target is not that of the training sections",
            )
        return Finding(
            "target", PASS, f"{about['unit']}: the training sections alone give the same reference"
        )

    return held_out("target", about["expression_fitted_on"], case) or rederived("target", compare)


def check_scaling(case: Case) -> Finding:
    """Mean and standard deviation of each gene, as the checkpoint has them, are those of the
    training spots alone.
    """
    state = case.record.checkpoint["state_dict"]
    recorded = [state[name] for name in SCALING]

    def compare() -> Finding:
        train = case.record.ids("train")
        if _same(recorded, case.scaling(train)):
            return Finding(
                "scaling",
                PASS,
                "the training sections alone give the same mean and spread of each gene",
            )
        together = _same(
            recorded,
            case.scaling([*train, *(i for i in case.record.ids("test") if i not in train)]),
        )
        whose = (
            "they are those of training and test sections together"
            if together
            else "they are of other spots"
        )
        return Finding(
            "scaling", FAIL, f"not the mean and spread of the training sections: {whose}"
        )

    return rederived("scaling", compare)


def check_image_scale(case: Case) -> Finding:
    """Mean and spread of the embeddings, which bare slides are standardised by in part, are those
    of the training sections alone.
    """
    recorded = case.record.about["training_scale"]
    if recorded is None:
        return Finding("image scale", UNCHECKED, "the run has no record of it")

    def compare() -> Finding:
        split = Split(**case.record.about["split"])
        again = training_scale(case.data_set.sections, split, case.recipe).to_dict()
        wrong = [
            name for name, value in recorded.items() if not np.allclose(value, again[name], 1e-3)
        ]
        if wrong:
            reason = f"{', '.join(wrong)} of the embeddings: not what the training sections give"
            return Finding("image scale", FAIL, reason)
        reason = "the training sections alone give the same mean and spread of the embeddings"
        return Finding("image scale", PASS, reason)

    return rederived("image scale", compare)


def check_closed_form(case: Case) -> Finding:
    """PCA, ridge weights and whatever else the module fits at once: fitted again, every such buffer
    is the same.
    """

    if case.record.config["model"].get("reference"):
        return Finding("closed form", PASS, "a reference fits nothing")

    def compare() -> Finding:
        again, untouched = _fitted_again(case)
        state = case.record.checkpoint["state_dict"]
        present = {name: value for name, value in untouched.items() if name in state}
        strange = _different(state, present)
        if strange and case.record.checkpoint["global_step"] == 0:
            reason = "fitted outside of fit_at_once, on who knows what"
            return Finding("closed form", FAIL, f"{', '.join(strange)}: {reason}")
        if not again:
            return Finding("closed form", PASS, "the model fits nothing at once")
        if wrong := _different(state, again):
            reason = "not what the training sections alone give"
            return Finding("closed form", FAIL, f"{', '.join(wrong)}: {reason}")
        reason = f"the training sections alone give the same {', '.join(again)}"
        return Finding("closed form", PASS, reason)

    return rederived("closed form", compare)


def _different(state: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> list[str]:
    """Names of what the checkpoint's state lacks, or has with other values."""
    return [
        name
        for name, value in expected.items()
        if name not in state or not _same([state[name]], [value])
    ]


def _fitted_again(case: Case) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The buffers (and, of a model without epochs, parameters) that `fit_at_once` changes, and
    those it does not.
    """
    record = case.record
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(record.config["seed"])
        module = rebuilt_module(record.config, record.about["sizes"])
        before = {name: value.clone() for name, value in module.state_dict().items()}
        fit_at_once(record.config, case.fold("train", "val"), module)
    trained = (
        {name for name, _ in module.named_parameters()}
        if record.checkpoint["global_step"]
        else set[str]()
    )
    excluded = {*trained, *SCALING, "lowest"}
    after = {name: value for name, value in module.state_dict().items() if name not in excluded}
    same = {
        name: value
        for name, value in after.items()
        if name in before and torch.equal(before[name], value)
    }
    return {name: value for name, value in after.items() if name not in same}, same


def check_teacher(case: Case) -> Finding:
    """The teacher's file names the training sections only, and its inputs were theirs."""
    teacher = case.record.about.get("teacher")
    settings = case.record.config["model"]["teacher"]
    if not settings or not settings["fit"]:
        return Finding("teacher", PASS, "there is none")
    if teacher is None:
        return Finding(
            "teacher", UNCHECKED, "the run, of an older version, does not tell what its teacher saw"
        )
    setting = "model.teacher.fit=sequential" if settings["fit"] == "sequential" else None

    def compare() -> Finding:
        path = teacher_path(case.record.config, teacher["key"])
        if not path.is_file():
            raise InputError(f"the teacher is no longer at {path}")
        fitted = load_tensors(path, "teacher")
        sources = [*fitted["fitted_on"], *fitted["input_means"], *fitted["latents"]]
        if leak := held_out("teacher", sources, case, setting):
            return leak
        state = case.record.checkpoint["state_dict"]
        scale = teacher_scaling((state["gene_mean"], state["gene_std"]), settings["standardize"])
        directions = Directions(*scale, fitted["directions"])
        inputs = {i: mean_row(directions(case.target(i))) for i in set(sources)}
        wrong = sorted(
            i for i, recorded in fitted["input_means"].items() if not _same([recorded], [inputs[i]])
        )
        if wrong:
            return Finding(
                "teacher",
                FAIL,
                f"what it saw as {' '.join(wrong)} is not the expression of these sections",
            )
        return Finding("teacher", PASS, f"its inputs were the {len(inputs)} training sections")

    return held_out("teacher", teacher["fitted_on"], case, setting) or rederived("teacher", compare)


def _same(recorded: Sequence[Tensor], again: Sequence[Tensor]) -> bool:
    """Equal up to rounding: another machine adds up in another order."""
    return all(_close(a.double(), b.double()) for a, b in zip(recorded, again, strict=True))


def _close(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and torch.allclose(
        a, b, rtol=1e-3, atol=float(1e-4 * b.square().mean().sqrt() + 1e-7), equal_nan=True
    )
