"""`python -m hespotex.embed`: fills the store, shares the work; what is killed goes on:
tests/embeddings/test_pipeline.py.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from conftest import CHECKOUT, command, compose_config

from hespotex.common.errors import InputError
from hespotex.training.fill import fill_store

EMBED = ["-m", "hespotex.embed"]


def words(small: list[str], folder: Path) -> list[str]:
    """The small demo, with a store and outputs of its own."""
    kept = [word for word in small if not word.startswith(("paths.store", "~callbacks"))]
    return [
        *kept,
        f"paths.store={folder / 'store'}",
        f"paths.outputs={folder}",
        "encoder.depth=1",
        "encoder.width=16",
        "nuclei=haematoxylin",
    ]


def tables(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.h5")}


def test_fills_shares_and_skips(
    small: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    done = command(*EMBED, "-m", "shards=2", "shard=0,1", *words(small, tmp_path))
    assert done.returncode == 0, done.stderr
    assert len(re.findall(r"3 sections embedded \(\d+ patches in .* patches/s", done.stdout)) == 2
    made = tables(tmp_path)
    assert len(made) == 12  # six sections: embeddings and counts
    caplog.set_level("INFO")
    fill_store(compose_config("embed", words(small, tmp_path), tmp_path))
    assert "0 sections embedded" in caplog.text and "6 were there already" in caplog.text
    assert tables(tmp_path) == made


@pytest.mark.parametrize("share", [2, -1])
def test_a_share_that_cannot_be(small: list[str], tmp_path: Path, share: int) -> None:
    config = compose_config(
        "embed", [*words(small, tmp_path), "shards=2", f"shard={share}"], tmp_path
    )
    with pytest.raises(InputError, match=rf"shard: expected 0 to 1 \(shards=2\), got {share}"):
        fill_store(config)


def test_a_broken_section_is_named_at_the_end(
    small: list[str], small_demo: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "demo"
    shutil.copytree(small_demo, broken)
    next((broken / "wsis").glob("DEMO1.*")).write_bytes(b"no image")
    config = compose_config(
        "embed", [*words(small, tmp_path), f"data.reader.root={broken}"], tmp_path
    )
    with pytest.raises(InputError, match=r"1 of 6 sections failed: DEMO1;"):
        fill_store(config)
    assert len(tables(tmp_path)) == 10


def test_two_at_the_same_time_end_with_one_store(small: list[str], tmp_path: Path) -> None:
    line = [sys.executable, *EMBED, *words(small, tmp_path / "both")]
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    jobs = [
        subprocess.Popen(
            line, cwd=CHECKOUT, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for _ in range(2)
    ]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    fill_store(compose_config("embed", words(small, tmp_path / "one"), tmp_path))
    torch.set_num_threads(threads)
    assert [job.wait() for job in jobs] == [0, 0]
    assert tables(tmp_path / "both") == tables(tmp_path / "one")
    assert not list((tmp_path / "both").rglob("*.part*"))
