"""What was told of a model when it was packed."""

import json
from pathlib import Path

import pytest

from hespotex.common.errors import InputError
from hespotex.records.layout import BEST, BUNDLE
from hespotex.records.remarks import remarks_of


def test_the_words_of_a_bundle(tmp_path: Path) -> None:
    (tmp_path / BUNDLE).write_text(json.dumps({"tissue": "breast", "licence": None, "unit": "x"}))
    for home in ("final/strict", "folds/0"):
        assert remarks_of([tmp_path / home / BEST]) == {"tissue": "breast"}
    (tmp_path / BUNDLE).write_text(json.dumps({"tissue": ["breast"]}))
    with pytest.raises(InputError, match="tissue"):
        remarks_of([tmp_path / "final/strict" / BEST])


@pytest.mark.parametrize("path", ["/best.ckpt", "/model/best.ckpt", "/mine/checkpoints/best.ckpt"])
def test_a_checkpoint_near_the_root_of_the_disk(path: str) -> None:
    assert remarks_of([Path(path)]) == {}
