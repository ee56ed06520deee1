"""Two processes in one folder: the second is refused in one line; a dead one holds nothing."""

import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from conftest import CHECKOUT, Run

from hespotex.common.errors import InputError
from hespotex.common.locks import alone_in
from hespotex.packing.pack import pack
from hespotex.results.loggers import check_login

HOLD = """
    import sys, time
    from pathlib import Path
    from hespotex.common.locks import alone_in
    with alone_in(Path(sys.argv[1]), "x", beside=sys.argv[2] == "True"):
        print("held", flush=True)
        time.sleep(60)
"""


@pytest.mark.parametrize("beside", [False, True])
def test_a_held_folder_is_refused_until_its_holder_dies(tmp_path: Path, beside: bool) -> None:
    folder = tmp_path / "mine"
    line = [sys.executable, "-c", textwrap.dedent(HOLD), str(folder), str(beside)]
    with subprocess.Popen(line, cwd=CHECKOUT, stdout=subprocess.PIPE) as holder:
        assert holder.stdout and holder.stdout.readline()
        refused = r"mine: another process is at work there; wait for it, or name=NEW$"
        with pytest.raises(InputError, match=refused), alone_in(folder, "name=NEW", beside):
            pass
        holder.send_signal(signal.SIGKILL)
    with alone_in(folder, "name=NEW", beside):
        assert folder.exists() != beside


def test_a_run_folder(train: Run, tmp_path: Path) -> None:
    with (
        alone_in(tmp_path / "run", ""),
        pytest.raises(InputError, match=r"another process is at work there.*name=NEW"),
    ):
        train("model=ridge")


def test_a_bundle(tmp_path: Path) -> None:
    with (
        alone_in(tmp_path / "out", "", beside=True),
        pytest.raises(InputError, match=r"at work there.*--output"),
    ):
        pack(tmp_path, tmp_path / "out")


class TestLogin:
    """W&B without a login is refused before any work."""

    @pytest.fixture
    def loggers(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Any]:
        """A W&B logger that has nobody to ask."""
        from pytorch_lightning.loggers import WandbLogger

        for name in ("WANDB_MODE", "WANDB_API_KEY"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
        return [WandbLogger(project="x", save_dir=str(tmp_path))]

    def test_nobody_logged_in(self, loggers: list[Any]) -> None:
        with pytest.raises(InputError, match=r"wandb login.*logger.wandb.offline=true"):
            check_login(loggers)

    @pytest.mark.parametrize("way", ["WANDB_API_KEY", "WANDB_MODE", "netrc", "offline"])
    def test_ways_out(
        self, loggers: list[Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, way: str
    ) -> None:
        import wandb

        if way == "netrc":
            host = str(wandb.Settings().base_url).rpartition("/")[2]
            (tmp_path / "netrc").write_text(f"machine {host} login user password {'a' * 40}\n")
        elif way == "offline":
            loggers[0]._offline = True
        else:
            monkeypatch.setenv(way, "offline")
        check_login(loggers)
