"""What bad input gets: one message that names the thing and the way out, and nothing
half-written.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

import anndata as ad
import h5py
import pytest
import torch
from conftest import Run, command, compose_config

from hespotex.common.errors import InputError


def no_spatial(root: Path) -> None:
    table = ad.read_h5ad(root / "st" / "DEMO1.h5ad")
    del table.obsm["spatial"]
    table.write_h5ad(root / "st" / "DEMO1.h5ad")


def outside(root: Path) -> None:
    with h5py.File(root / "st" / "DEMO1.h5ad", "r+") as file:
        file["obsm/spatial"][:] = file["obsm/spatial"][:] + 5000


def corrupt_image(root: Path) -> None:
    (root / "wsis" / "DEMO1.tif").write_bytes(b"II*\0" + bytes(100))


def empty_h5ad(root: Path) -> None:
    (root / "st" / "DEMO1.h5ad").write_bytes(b"")


def no_sections(root: Path) -> None:
    shutil.rmtree(root / "st")
    (root / "st").mkdir()


BROKEN: dict[str, tuple[Callable[[Path], None], str]] = {
    "no spatial": (no_spatial, r'DEMO1.h5ad: expected spot centres .*obsm\["spatial"\]'),
    "spots outside": (outside, r"DEMO1: \d+ of \d+ spots lie outside the image of \d+ x \d+ px"),
    "corrupt image": (corrupt_image, r"DEMO1.tif: holds no picture; is the file whole"),
    "empty h5ad": (empty_h5ad, r"DEMO1.h5ad: cannot be read as h5ad"),
    "no sections": (no_sections, r"folder is empty: .*st; set data.reader.root=PATH"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_data(train: Run, broken: Path, tmp_path: Path, case: str) -> None:
    break_it, message = BROKEN[case]
    break_it(broken)
    with pytest.raises(InputError, match=message):
        train("model=ridge", f"data.reader.root={broken}", f"paths.store={tmp_path / 'store'}")
    assert not list(tmp_path.rglob("*.part*"))
    assert not (tmp_path / "run" / "metrics.json").exists()


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("data.reader.root=nowhere", r"folder not found: nowhere; set data.reader.root=PATH"),
        (
            "data.reader.mpp=1.4",
            r"at 1.4000 um/px .* are 200\.\d um apart, expected 100 um.*set data.reader.mpp=0.70",
        ),
        ("data.panel.markers=[DEMO-M01]", r"DEMO-M01 \(near: DEMO-M0"),
        ("data.reader.sections=[DEMO9]", r"sections names \['DEMO9'\]"),
        ("fold.index=7", r"fold.index=7, but there are 3 folds.*range\(3\)"),
        (
            "data.panel.min_spot_fraction=1.1",
            r"data.panel.min_spot_fraction: expected a number from 0",
        ),
        ("data.min_counts=1000000", r"no spot has 1000000 counts.*data.min_counts"),
        (
            "model=mlp model.module.nuclei=covariate",
            r"wants nuclei counts and nuclei=none gives none: add nuclei=haematoxylin",
        ),
        ("model=mlp model.module.nuclei=maybe", r"expected covariate, factor or none, got 'maybe'"),
    ],
)
def test_bad_settings(train: Run, override: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        train(*override.split())


def test_a_misspelt_override_is_refused_in_words() -> None:
    done = command("train.py", "model.modul.dropout=0.1")
    assert done.returncode != 0
    assert "model.modul" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_command_line_shows_the_message_alone(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    done = command(
        "train.py", "data=hest", f"data.reader.root={tmp_path}/data", f"paths.outputs={tmp_path}"
    )
    assert done.returncode == 2
    assert f"folder is empty: {tmp_path}/data; set data.reader.root=PATH" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


class TestPrediction:
    """Checkpoints and slides that do not fit."""

    @pytest.fixture
    def checkpoint(self, train: Run) -> Path:
        return train("model=ridge") / "checkpoints" / "best.ckpt"

    def predict(self, checkpoint: Path, tmp_path: Path, store: Path, *overrides: str) -> None:
        from hespotex.prediction.inference import predict

        paths = [f"checkpoint={checkpoint}", f"output={tmp_path / 'out'}", f"paths.store={store}"]
        predict(compose_config("predict", [*paths, *overrides], tmp_path))

    def test_checkpoint_of_another_encoder(
        self, checkpoint: Path, small_demo: Path, store: Path, tmp_path: Path
    ) -> None:
        content = torch.load(checkpoint, weights_only=True)
        content["hespotex"]["config"]["encoder"]["seed"] = 1
        torch.save(content, tmp_path / "other.ckpt")
        with pytest.raises(InputError, match=r"trained on embeddings of .*'seed': 0.*'seed': 1"):
            self.predict(
                tmp_path / "other.ckpt", tmp_path, store, f"slides={small_demo}/slides/bare.tif"
            )

    def test_checkpoint_that_wants_foreign_code(
        self, checkpoint: Path, small_demo: Path, store: Path, tmp_path: Path
    ) -> None:
        content = torch.load(checkpoint, weights_only=True)
        content["hespotex"]["config"]["model"]["module"]["_target_"] = "os.system"
        torch.save(content, tmp_path / "other.ckpt")
        with pytest.raises(InputError, match=r"wants to build 'os.system'"):
            self.predict(
                tmp_path / "other.ckpt", tmp_path, store, f"slides={small_demo}/slides/bare.tif"
            )

    def test_file_that_is_no_checkpoint(
        self, small_demo: Path, store: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "x.ckpt").write_bytes(b"nothing")
        with pytest.raises(InputError, match=r"x.ckpt: not a checkpoint"):
            self.predict(
                tmp_path / "x.ckpt", tmp_path, store, f"slides={small_demo}/slides/bare.tif"
            )

    def test_a_bad_slide_does_not_stop_the_others(
        self, checkpoint: Path, small_demo: Path, store: Path, tmp_path: Path
    ) -> None:
        slides = tmp_path / "slides"
        slides.mkdir()
        (slides / "a.tif").write_bytes(b"")
        shutil.copy(small_demo / "slides" / "bare.tif", slides / "b.tif")
        with pytest.raises(InputError, match=r"1 of 2 slides failed: a.tif"):
            self.predict(checkpoint, tmp_path, store, f"slides={slides}/*.tif")
        assert [path.name for path in (tmp_path / "out").glob("*.h5ad")] == ["b.h5ad"]

    @pytest.mark.parametrize(
        ("overrides", "message"),
        [
            (["slides=nothing*.tif"], r"no slide matches nothing\*.tif; set slides="),
            (["map_genes=[DEMO-M01]", "slides={bare}"], r"map_genes: .*DEMO-M01 \(near"),
        ],
    )
    def test_settings(
        self,
        checkpoint: Path,
        small_demo: Path,
        store: Path,
        tmp_path: Path,
        overrides: list[str],
        message: str,
    ) -> None:
        bare = small_demo / "slides" / "bare.tif"
        with pytest.raises(InputError, match=message):
            self.predict(
                checkpoint, tmp_path, store, *(word.format(bare=bare) for word in overrides)
            )
