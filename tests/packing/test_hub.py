"""Bundles on the hub: pushed, fetched and predicted with; a fake hub stands in for it."""

import fnmatch
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import pytest
from huggingface_hub.errors import LocalEntryNotFoundError, RevisionNotFoundError

import hespotex
from hespotex.bundle import main
from hespotex.common.errors import InputError
from hespotex.packing.pack import pack
from hespotex.prediction.checkpoints import find_checkpoints
from hespotex.prediction.hub import Address, fetch, push
from hespotex.prediction.model_facts import model_facts

COMMIT = "0123abcd"


class FakeHub:
    """A folder that plays the hub, with a cache of links as the client makes it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.offline = False
        self.made: list[tuple[str, bool]] = []

    def create_repo(self, repo_id: str, private: bool, exist_ok: bool) -> None:
        assert exist_ok
        self.made.append((repo_id, private))

    def upload_folder(
        self, repo_id: str, folder_path: Path, allow_patterns: list[str], **_: Any
    ) -> Any:
        for path in (path for path in folder_path.rglob("*") if path.is_file()):
            name = path.relative_to(folder_path).as_posix()
            if any(fnmatch.fnmatch(name, pattern) for pattern in allow_patterns):
                target = self.folder / repo_id / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, target)
        return SimpleNamespace(oid=COMMIT)

    def snapshot_download(
        self, repo_id: str, revision: str | None, allow_patterns: list[str]
    ) -> str:
        snapshot = self.folder / "cache" / repo_id.replace("/", "--") / "snapshots" / COMMIT
        if self.offline and not snapshot.is_dir():
            raise LocalEntryNotFoundError("no network")
        if revision not in (None, "main", COMMIT):
            response: Any = SimpleNamespace(headers={}, request=None)
            raise RevisionNotFoundError("no such revision", response=response)
        for path in (self.folder / repo_id).rglob("*"):
            name = path.relative_to(self.folder / repo_id).as_posix()
            if path.is_file() and any(fnmatch.fnmatch(name, one) for one in allow_patterns):
                link = snapshot / name
                link.parent.mkdir(parents=True, exist_ok=True)
                if not link.is_symlink():
                    link.symlink_to(path)
        return str(snapshot)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHub:
    fake = FakeHub(tmp_path / "hub")
    monkeypatch.setattr(huggingface_hub, "snapshot_download", fake.snapshot_download)
    monkeypatch.setattr(huggingface_hub, "HfApi", lambda: fake)
    return fake


@pytest.fixture
def bundle(sweep: Path, tmp_path: Path) -> Path:
    pack(sweep, tmp_path / "bundle")
    return tmp_path / "bundle"


def test_what_was_pushed_predicts_as_the_bundle(
    hub: FakeHub, bundle: Path, small_demo: Path, store: Path
) -> None:
    (bundle / "notes.txt").write_text("not of the bundle")
    assert push(bundle, "owner/breast") == f"hf://owner/breast@{COMMIT}"
    assert hub.made == [("owner/breast", True)]
    assert not (hub.folder / "owner" / "breast" / "notes.txt").exists()
    slide = small_demo / "slides" / "bare.tif"
    here = hespotex.load(bundle, store=store).predict(slide)
    there = hespotex.load(f"hf://owner/breast@{COMMIT}", store=store).predict(slide)
    assert (here.X == there.X).all() and list(here.var_names) == list(there.var_names)
    hub.offline = True  # what is in the cache is enough
    assert len(find_checkpoints("hf://owner/breast")) == 3
    assert "ridge" in str(model_facts("hf://owner/breast"))


def test_the_command_pushes(
    hub: FakeHub, sweep: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    words = ["bundle", str(sweep), "--push", "owner/breast", "--public"]
    monkeypatch.setattr(sys, "argv", words)
    with caplog.at_level("INFO"):
        main()
    assert hub.made == [("owner/breast", False)]
    assert f"checkpoint=hf://owner/breast@{COMMIT}" in caplog.text
    text = (hub.folder / "owner" / "breast" / "README.md").read_text()
    assert text.startswith("---\nlibrary_name: hespotex\n")


def test_the_pinned_address_is_told(
    hub: FakeHub, bundle: Path, caplog: pytest.LogCaptureFixture
) -> None:
    push(bundle, "owner/breast")
    with caplog.at_level("INFO"):
        assert fetch("hf://owner/breast").name == COMMIT
    assert hub.made
    assert f"pin what you have used with hf://owner/breast@{COMMIT}" in caplog.text


def test_a_file_that_was_changed_on_the_way(hub: FakeHub, bundle: Path) -> None:
    push(bundle, "owner/breast")
    file = hub.folder / "owner" / "breast" / "facts.json"
    file.write_text(file.read_text() + " ")
    with pytest.raises(InputError, match=r"facts\.json"):
        fetch("hf://owner/breast")


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("hf://owner", "expected hf://OWNER/NAME"),
        ("hf://owner/../x", "expected hf://OWNER/NAME"),
        ("hf://owner/name/file", "expected hf://OWNER/NAME"),
        ("hf://owner/breast@gone", "no such repository or revision"),
        ("hf://owner/empty", "holds no bundle"),
    ],
)
def test_errors_in_words(hub: FakeHub, bundle: Path, address: str, words: str) -> None:
    push(bundle, "owner/breast")
    (hub.folder / "owner" / "empty").mkdir()
    with pytest.raises(InputError, match=words):
        find_checkpoints(address)


def test_without_a_network(hub: FakeHub) -> None:
    hub.offline = True
    with pytest.raises(InputError, match=r"LocalEntryNotFoundError: no network.*not in the cache"):
        fetch("hf://owner/breast")


def test_without_a_login(hub: FakeHub, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError("401")

    monkeypatch.setattr(hub, "create_repo", refuse)
    with pytest.raises(InputError, match=r"not pushed \(PermissionError: 401\).*hf auth login"):
        push(bundle, "owner/breast")


def test_addresses() -> None:
    assert Address.of("hf://a/b@v1") == Address("a/b", "v1") and Address.of("a/b").revision is None
    assert str(Address.of("a/b@v1")) == "hf://a/b@v1"
