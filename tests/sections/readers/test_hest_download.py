"""Only the chosen, missing ids are asked of the hub; a fake one stands in for it."""

import fnmatch
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import pytest
from builders import write_hest
from huggingface_hub.errors import (
    GatedRepoError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)

from hespotex.common.errors import InputError
from hespotex.sections.readers.hest.download import download_folders, fetch, lacking, patterns
from hespotex.sections.readers.hest.folder import HestReader

from .test_hest_table import ROWS, write_table

FOLDERS = ["st", "metadata", "wsis"]


class FakeHub:
    """A folder that plays the repository; records what was asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.patterns, self.tables = folder, [], []  # type: Path, list[str], list[str]

    def files(self) -> list[str]:
        return sorted(
            str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file()
        )

    def list_repo_files(self, repo_id: str, repo_type: str) -> list[str]:
        assert (repo_id, repo_type) == ("MahmoodLab/hest", "dataset")
        return self.files()

    def hf_hub_download(self, repo_id: str, filename: str, repo_type: str, local_dir: Path) -> str:
        assert (repo_id, repo_type) == ("MahmoodLab/hest", "dataset")
        self.tables.append(filename)
        return self._copy(filename, local_dir)

    def snapshot_download(
        self, repo_id: str, repo_type: str, local_dir: Path, allow_patterns: list[str]
    ) -> str:
        assert (repo_id, repo_type) == ("MahmoodLab/hest", "dataset")
        self.patterns.extend(allow_patterns)
        for name in self.files():
            if any(fnmatch.fnmatch(name, pattern) for pattern in allow_patterns):
                self._copy(name, local_dir)
        return str(local_dir)

    def _copy(self, name: str, root: Path) -> str:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes((self.folder / name).read_bytes())
        return str(root / name)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHub:
    fake = FakeHub(tmp_path / "hub")
    for row in (*ROWS, ("A11", *ROWS[0][1:])):
        write_hest(fake.folder, row[0], image=True, patches=[0, 1], organ=row[1], patient=row[0])
    (fake.folder / "cellvit_seg").mkdir()
    (fake.folder / "cellvit_seg" / "A1_cellvit_seg.parquet").write_bytes(b"nuclei")
    write_table(fake.folder, "v1_0_0", ROWS[:1])
    write_table(fake.folder, "v1_3_0", [*ROWS, ("A11", *ROWS[0][1:]), ("GONE", *ROWS[0][1:])])
    for name in ("list_repo_files", "hf_hub_download", "snapshot_download"):
        monkeypatch.setattr(huggingface_hub, name, getattr(fake, name))
    return fake


def test_chosen_ids_and_the_newest_table_are_fetched(hub: FakeHub, tmp_path: Path) -> None:
    root = tmp_path / "deep" / "hest"
    reader = HestReader(
        str(root), select={"organ": "Breast", "exclude": ["A11", "GONE"]}, download=True
    )
    assert hub.tables == ["HEST_v1_3_0.csv"]
    assert hub.patterns == [f"{folder}/{name}[_.]**" for name in ("A1", "A2") for folder in FOLDERS]
    assert [key.section_id for key in reader.section_keys()] == [
        "A1",
        "A2",
    ] and reader.table_fingerprint
    assert reader.read("A2").image == root / "wsis" / "A2.tif"
    assert (
        not list(root.rglob("A11*"))
        and not (root / "patches").exists()
        and not list(root.rglob("B*"))
    )


def test_what_is_there_is_not_asked_for_again(
    hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "hest"
    fetch(root, FOLDERS, sections=["A1"])
    hub.patterns.clear()
    fetch(root, FOLDERS, select={"ids": ["A1", "B1"]})
    assert hub.patterns == [f"{folder}/B1[_.]**" for folder in FOLDERS] and hub.tables == [
        "HEST_v1_3_0.csv"
    ]
    # an interrupted download: the section is asked for as a whole, the client resumes
    (root / "wsis" / "B1.tif").unlink()
    hub.patterns.clear()
    fetch(root, FOLDERS, sections=["A1", "B1"])
    assert (
        hub.patterns == [f"{folder}/B1[_.]**" for folder in FOLDERS]
        and (root / "wsis" / "B1.tif").is_file()
    )
    for name in ("list_repo_files", "hf_hub_download", "snapshot_download"):
        monkeypatch.setattr(huggingface_hub, name, None)  # whole: no network is needed
    fetch(root, FOLDERS, sections=["A1", "B1"])


@pytest.mark.usefixtures("hub")
def test_only_the_folders_that_are_needed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert download_folders(None, "auto") == download_folders(None, "wsis") == FOLDERS
    assert download_folders(None, "patches") == ["st", "metadata", "patches"]
    folders = download_folders(["patches", "cellvit_seg", "st"], "auto")
    assert folders == ["st", "metadata", "patches", "cellvit_seg"]
    fetch(tmp_path / "hest", folders, sections=["A1", "A2"])
    assert (tmp_path / "hest" / "cellvit_seg" / "A1_cellvit_seg.parquet").read_bytes() == b"nuclei"
    assert (
        not (tmp_path / "hest" / "wsis").exists()
        and "A2: the hub has nothing in ['cellvit_seg']" in caplog.text
    )
    reader = HestReader(str(tmp_path / "other"), sections=["A1"], source="patches", download=True)
    assert reader.read("A1").adata.n_obs == 2


def test_sections_and_select_together(hub: FakeHub, tmp_path: Path) -> None:
    fetch(tmp_path / "hest", ["st", "metadata"], select={"organ": "Breast"}, sections=["A2", "B1"])
    assert hub.patterns == ["st/A2[_.]**", "metadata/A2[_.]**"]


def test_an_id_is_not_taken_for_the_beginning_of_another(tmp_path: Path) -> None:
    (pattern,) = patterns(["TENX1"], ["st"])
    names = [
        "st/TENX1.h5ad",
        "st/TENX1_x.h5ad",
        "st/TENX10.h5ad",
        "st/ATENX1.h5ad",
        "wsis/TENX1.tif",
    ]
    assert fnmatch.filter(names, pattern) == names[:2]
    (tmp_path / "st").mkdir()
    (tmp_path / "st" / "TENX10.h5ad").touch()
    assert (
        lacking(tmp_path, "TENX1", ["st"]) == ["st"] and lacking(tmp_path, "TENX10", ["st"]) == []
    )


@pytest.mark.parametrize("select", [None, {}, {"organ": None, "ids": []}])
def test_nothing_chosen_is_not_everything(hub: FakeHub, tmp_path: Path, select: Any) -> None:
    with pytest.raises(
        InputError,
        match=r"would fetch all of HEST-1k, over a terabyte: choose sections with data.select",
    ):
        HestReader(str(tmp_path / "hest"), select=select, download=True)
    assert not hub.tables and not (tmp_path / "hest").exists()


def test_unknown_id(hub: FakeHub, tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"data.select.ids='A3' is not in HEST_v1_3_0.csv; did you mean"
    ):
        fetch(tmp_path / "hest", FOLDERS, sections=["A3"])
    assert not hub.patterns


@pytest.mark.usefixtures("hub")
def test_id_that_only_the_table_knows(tmp_path: Path) -> None:
    with pytest.raises(
        InputError,
        match=(
            r"still lacks st/ or metadata/ of \['GONE'\]: either .* does not hold them, or the net"
        ),
    ):
        fetch(tmp_path / "hest", FOLDERS, sections=["A1", "GONE"])


def test_hub_without_a_table(hub: FakeHub, tmp_path: Path) -> None:
    for path in hub.folder.glob("*.csv"):
        path.unlink()
    with pytest.raises(InputError, match=r"holds no sample table"):
        fetch(tmp_path / "hest", FOLDERS, sections=["A1"])


def refused(error: Callable[[], Exception]) -> Callable[..., Any]:
    def call(*_args: Any, **_kwargs: Any) -> Any:
        raise error()

    return call


def hub_error(kind: Any) -> Callable[[], Exception]:
    response: Any = SimpleNamespace(headers={}, request=None, status_code=403)
    return lambda: kind("refused", response=response)


ACCESS = (
    r"no access to HEST-1k: visit https://huggingface.co/datasets/MahmoodLab/hest, .*accept its"
    r" terms.*`hf auth login`"
)
NETWORK = (
    r"could not be fetched .* Is there a network .* goes on where it stopped; data.download=false"
    r" uses what is there"
)


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize("call", ["list_repo_files", "hf_hub_download", "snapshot_download"])
@pytest.mark.parametrize(
    ("error", "message"),
    [
        (hub_error(GatedRepoError), ACCESS),
        (hub_error(RepositoryNotFoundError), ACCESS),
        (lambda: OfflineModeIsEnabled("offline"), NETWORK),
        (lambda: LocalEntryNotFoundError("no connection"), NETWORK),
        (
            lambda: OSError(28, "No space left on device"),
            "No space left on device.*room on the disk",
        ),
    ],
    ids=["gated", "hidden", "offline", "no network", "disk"],
)
def test_errors_in_words(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
    error: Callable[[], Exception],
    message: str,
) -> None:
    monkeypatch.setattr(huggingface_hub, call, refused(error))
    with pytest.raises(InputError, match=message):
        fetch(tmp_path / "hest", FOLDERS, sections=["A1"])


@pytest.mark.usefixtures("hub")
def test_a_client_that_gives_up_silently(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a network, the client returns a folder that exists as it is."""
    monkeypatch.setattr(
        huggingface_hub, "snapshot_download", lambda **kwargs: str(kwargs["local_dir"])
    )
    with pytest.raises(InputError, match=r"still lacks .*\['A1'\].*the network failed meanwhile"):
        fetch(tmp_path / "hest", FOLDERS, sections=["A1"])
