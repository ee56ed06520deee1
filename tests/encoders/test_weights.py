"""Weights: local, from the hub, gated, missing, broken and foreign."""

from pathlib import Path
from typing import Any

import httpx
import pytest
import torch
from huggingface_hub.errors import EntryNotFoundError, GatedRepoError, LocalEntryNotFoundError
from safetensors.torch import save_file
from torch import nn

from hespotex.common.errors import InputError
from hespotex.encoders.weights import Source, load_strictly, part_of, read_state, without

SOURCE = Source("nobody/tiny", ("model.safetensors", "pytorch_model.bin"), "MIT", gated=True)
STATE = {"weight": torch.ones(2, 3), "bias": torch.zeros(2)}


def answer(monkeypatch: pytest.MonkeyPatch, **answers: Any) -> list[str]:
    """The hub has these files, or raises these errors; what is asked is written down."""
    asked: list[str] = []

    def download(hub_id: str, name: str) -> str:
        asked.append(f"{hub_id}/{name}")
        reply = answers[Path(name).stem]
        if isinstance(reply, Exception):
            raise reply
        return str(reply)

    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    return asked


def gated() -> GatedRepoError:
    return GatedRepoError("403", response=httpx.Response(403, request=httpx.Request("GET", "hub:")))


def test_the_first_file_that_the_hub_has(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answer(monkeypatch, model=EntryNotFoundError("404"), pytorch_model="here.bin")
    assert SOURCE.find(None) == Path("here.bin")
    assert asked == ["nobody/tiny/model.safetensors", "nobody/tiny/pytorch_model.bin"]


def test_a_gated_repository_is_asked_once_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answer(monkeypatch, model=gated())
    with pytest.raises(InputError) as error:
        SOURCE.find(None)
    assert len(asked) == 1
    for part in (
        "GatedRepoError",
        "huggingface.co/nobody/tiny (licence MIT; gated: ask for access there",
        "encoder.weights=FILE",
    ):
        assert part in str(error.value)


@pytest.mark.parametrize("failure", [LocalEntryNotFoundError("offline"), ConnectionError()])
def test_out_of_reach(monkeypatch: pytest.MonkeyPatch, failure: Exception) -> None:
    asked = answer(monkeypatch, model=failure)
    with pytest.raises(
        InputError,
        match=r"could not fetch model.safetensors or pytorch_model.bin of nobody/tiny .*histology",
    ):
        SOURCE.find(None)
    assert len(asked) == 1


def test_a_repository_without_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, model=EntryNotFoundError("404"), pytorch_model=EntryNotFoundError("404"))
    with pytest.raises(InputError, match="EntryNotFoundError"):
        SOURCE.find(None)


def test_a_local_file_or_its_folder(tmp_path: Path) -> None:
    torch.save(STATE, tmp_path / "pytorch_model.bin")
    assert (
        SOURCE.find(str(tmp_path / "pytorch_model.bin"))
        == SOURCE.find(str(tmp_path))
        == tmp_path / "pytorch_model.bin"
    )
    with pytest.raises(
        InputError,
        match=r"nowhere.bin; set encoder.weights=FILE, or null for the hub \(nobody/tiny\)",
    ):
        SOURCE.find("nowhere.bin")


@pytest.mark.parametrize("wrapper", ["", "state_dict", "model"])
def test_torch_checkpoints(tmp_path: Path, wrapper: str) -> None:
    state = {f"module.{key}": value for key, value in STATE.items()}
    torch.save({wrapper: state, "epoch": 3} if wrapper else state, tmp_path / "weights.pth")
    assert read_state(tmp_path / "weights.pth").keys() == STATE.keys()


def test_safetensors(tmp_path: Path) -> None:
    save_file(STATE, tmp_path / "weights.safetensors")
    assert read_state(tmp_path / "weights.safetensors")["weight"].equal(STATE["weight"])


@pytest.mark.parametrize("name", ["weights.safetensors", "weights.bin"])
@pytest.mark.parametrize(
    "content", [b"", b"<html>log in first</html>", b"version https://git-lfs.example/spec/v1"]
)
def test_files_that_hold_no_weights(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match="is no readable weights file"):
        read_state(tmp_path / name)


class Evil:
    """Would run a command if unpickled without care."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (pytest.fail, ("code in a weights file was run",))


def test_a_file_with_code_is_refused_and_not_run(tmp_path: Path) -> None:
    torch.save({"weight": Evil()}, tmp_path / "weights.bin")
    with pytest.raises(InputError, match="is no readable weights file"):
        read_state(tmp_path / "weights.bin")
    torch.save([1, 2], tmp_path / "weights.bin")
    with pytest.raises(InputError, match="holds list instead of named tensors"):
        read_state(tmp_path / "weights.bin")


@pytest.mark.parametrize(
    "wrong",
    [
        {"weight": STATE["weight"]},
        STATE | {"more": torch.ones(1)},
        STATE | {"bias": torch.zeros(5)},
    ],
)
def test_missing_foreign_and_misshapen_weights(
    tmp_path: Path, wrong: dict[str, torch.Tensor]
) -> None:
    with pytest.raises(
        InputError, match=r"weights.bin does not hold a line \(.*(weight|bias|more)"
    ):
        load_strictly(nn.Linear(3, 2), wrong, tmp_path / "weights.bin", "a line")
    with torch.device("meta"):
        empty = nn.Linear(3, 2)
    assert load_strictly(empty, STATE, tmp_path / "weights.bin", "a line")(
        torch.ones(1, 3)
    ).tolist() == [[3, 3]]


def test_parts_of_a_state() -> None:
    state = {"visual.a": torch.ones(1), "text.visual.a": torch.zeros(1)}
    assert list(part_of(state, "visual.")) == ["a"]
    assert list(without(state, ["text."])) == ["visual.a"]
