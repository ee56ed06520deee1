"""Each training section is predicted by a model that has seen nothing of its group."""

from pathlib import Path

import pytest
import torch
from conftest import compose_config

from hespotex.batches.fold import Fold
from hespotex.nn.committee import part_names
from hespotex.records.build import Config, build_fold, build_module, resolved
from hespotex.training.left_out import leave_out


@pytest.fixture
def config(small: list[str], tmp_path: Path) -> Config:
    words = [*small, "model=ridge", "data.panel.n_top=40", "fold.index=0"]
    return resolved(compose_config("train", words, tmp_path))


def groups_of(fold: Fold) -> dict[str, str]:
    groups = part_names({i: fold.group(i) for i in fold.split.train})
    assert groups and len(set(groups.values())) > 1
    return groups


def test_every_training_section_once(config: Config) -> None:
    fold = build_fold(config)
    groups = groups_of(fold)
    found = list(leave_out(config, fold, groups, "test"))
    assert sorted(one.section_id for one in found) == sorted(fold.split.train)
    for one in found:
        assert one.group == groups[one.section_id]
        measured = fold.sections[one.section_id].target.dense()[:, one.genes]
        assert torch.equal(one.measured, measured) and one.predicted.shape == measured.shape


def test_its_group_has_no_part_in_the_fit(config: Config) -> None:
    """The model is that of a fold which never had the group."""
    fold = build_fold(config)
    groups = groups_of(fold)
    for one in leave_out(config, fold, groups, "test"):
        own = [i for i, group in groups.items() if group == one.group]
        others = fold.leaving_out(own).of_training()
        module = build_module(config, others.widths())
        module.fit(others)
        predicted = module.eval().predict(others.loader(own, module.n_hops))
        assert len(one.genes) == len(fold.panel.genes)
        torch.testing.assert_close(one.predicted, predicted[one.section_id])
