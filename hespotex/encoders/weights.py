"""Weights on this disk, from the hub or from a package: finding, reading, loading, and what to do
when that fails.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import torch
from torch import Tensor, nn

from hespotex.common.errors import InputError
from hespotex.common.loading import load_tensors

HUB = "https://huggingface.co"
# training checkpoints keep the weights one level down
WRAPPERS = ("state_dict", "model", "teacher")
MASK = "mask_token"  # of DINOv2's training; timm's files have none
TRAINING = ("dino_head", "ibot_head")
COUNTER = "num_batches_tracked"
State = dict[str, Tensor]


@dataclass(frozen=True)
class Source:
    """Where the weights of a network are published, and on which terms.

    `hub_id`: repository on the Hugging Face hub; `files`: its weights, the first that it has is
    taken;
    `gated`: one has to ask for access on the repository's page.
    """

    hub_id: str
    files: tuple[str, ...]
    licence: str
    gated: bool

    def find(self, local: str | None) -> Path:
        """The file on this disk, downloaded if no local one is given."""
        return self._local(Path(local)) if local else self._download()

    def _local(self, path: Path) -> Path:
        """`path`, or the weights inside it if it is a folder."""
        found = [file for file in (path, *(path / name for name in self.files)) if file.is_file()]
        if not found:
            raise InputError(
                f"encoder weights not found: {path}; set encoder.weights=FILE, or null for the hub"
                f" ({self.hub_id})"
            )
        return found[0]

    def _download(self) -> Path:
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

        failure: Exception = FileNotFoundError()
        for name in self.files:
            try:
                return Path(hf_hub_download(self.hub_id, name))
            # the hub client has a family of errors for gated, missing and offline
            except Exception as error:
                failure = error
            if isinstance(failure, LocalEntryNotFoundError) or not isinstance(
                failure, EntryNotFoundError
            ):
                break
        raise InputError(self._way_out(failure)) from failure

    def _way_out(self, failure: Exception) -> str:
        access = "gated: ask for access there, then `hf auth login`" if self.gated else "not gated"
        return (
            f"could not fetch {' or '.join(self.files)} of {self.hub_id}"
            f" ({type(failure).__name__}); visit {HUB}/{self.hub_id} (licence {self.licence};"
            f" {access}), or download the file elsewhere and set encoder.weights=FILE;"
            " encoder=histology needs no download"
        )


@dataclass(frozen=True)
class Package:
    """Weights inside a package of the Python index, of which nothing is imported or run.

    `name` and `version` of the package; `file` in it, of which `sha256` is the hash; `install`: the
    words that bring it.
    """

    name: str
    version: str
    file: str
    sha256: str
    licence: str
    install: str

    def find(self, local: str | None) -> Path:
        """The file on this disk, and exactly this file.

        Raises:
            InputError: it is not there, or it is another, or the settings name a place outside the
              package.
        """
        if Path(self.file).is_absolute() or ".." in Path(self.file).parts:
            raise InputError(
                f"encoder.package.file={self.file}: expected a file inside the package"
            )
        path = self._given(Path(local)) if local else self._installed()
        found = _sha256(path, path.stat().st_mtime_ns)
        if found != self.sha256:
            raise InputError(
                f"{path} is not the file of {self.name} {self.version}: expected sha256"
                f" {self.sha256}, found {found}; {self.install}, and leave encoder.weights out"
            )
        return path

    def _given(self, path: Path) -> Path:
        file = path / Path(self.file).name if path.is_dir() else path
        if not file.is_file():
            raise InputError(f"encoder weights not found: {file}; {self._way_out()}")
        return file

    def _installed(self) -> Path:
        try:
            path = Path(str(distribution(self.name).locate_file(self.file)))
        except PackageNotFoundError as error:
            raise InputError(
                f"these weights come with a package that is not installed; {self._way_out()}"
            ) from error
        if not path.is_file():
            raise InputError(f"{self.name} is installed without {self.file}; {self._way_out()}")
        return path

    def _way_out(self) -> str:
        return (
            f"{self.install} (licence {self.licence}), or set encoder.weights=FILE to its"
            f" {Path(self.file).name}"
        )


@lru_cache(maxsize=16)
def _sha256(path: Path, _modified: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_state(path: Path) -> State:
    """The tensors of a `.safetensors` file or of a torch checkpoint, which is never trusted with
    code.

    Raises:
        InputError: the file holds something else.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        content = load_file(path) if path.suffix == ".safetensors" else load_tensors(path)
    except (SafetensorError, InputError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise InputError(
            f"{path} is no readable weights file ({str(error)[:200]}); set encoder.weights=FILE"
        ) from error
    for key in WRAPPERS:
        content = content.get(key, content) if isinstance(content, dict) else content
    if not isinstance(content, dict) or not all(
        isinstance(value, Tensor) for value in content.values()
    ):
        raise InputError(
            f"{path} holds {type(content).__name__} instead of named tensors; set"
            " encoder.weights=FILE"
        )
    return {key.removeprefix("module."): value for key, value in content.items()}


def part_of(state: State, prefix: str) -> State:
    """The weights under `prefix`, without it."""
    return {
        key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)
    }


def without(state: State, unused: Sequence[str]) -> State:
    """The weights whose names contain none of `unused`."""
    return {key: value for key, value in state.items() if not any(part in key for part in unused)}


def from_dinov2(state: State) -> State:
    """Weights under timm's names that a file has under those of DINOv2's own code; others as they
    are.

    Heads and mask of training are left out. timm has no position for the class token of a network
    with registers: it is added to the token itself.
    """
    state = {re.sub(r"^backbone\.", "", key): value for key, value in state.items()}
    if MASK not in state:
        return state
    named = {
        _of_timm(key): value
        for key, value in state.items()
        if key != MASK and not key.startswith(TRAINING)
    }
    if "reg_token" in named:
        positions = named["pos_embed"]
        named["cls_token"] = named["cls_token"] + positions[:, :1]
        named["pos_embed"] = positions[:, 1:]
    return named


def _of_timm(key: str) -> str:
    """Blocks of blocks are one list there; gated layers and registers have other names."""
    key = re.sub(r"^blocks\.\d+\.(\d+)\.", r"blocks.\1.", key)
    for own, name in (
        ("register_tokens", "reg_token"),
        (".mlp.w12.", ".mlp.fc1."),
        (".mlp.w3.", ".mlp.fc2."),
    ):
        key = key.replace(own, name)
    return key


def in_order_of(network: nn.Module, state: State) -> State:
    """Weights under the network's names, both in their own order: for one known file that names
    them otherwise.

    The counters of batch normalisation, which no embedding needs, may be missing.
    """
    counters = {key: value for key, value in network.state_dict().items() if key.endswith(COUNTER)}
    names = [key for key in network.state_dict() if key not in counters]
    tensors = {key: value for key, value in state.items() if not key.endswith(COUNTER)}
    left_over = dict(list(tensors.items())[len(names) :])
    zeros = {key: torch.zeros(value.shape, dtype=value.dtype) for key, value in counters.items()}
    return dict(zip(names, tensors.values(), strict=False)) | zeros | left_over


def load_strictly(network: nn.Module, state: State, path: Path, what: str) -> nn.Module:
    """Put every weight into its place; none may be missing, left over or of another shape.

    Raises:
        InputError: naming the file and the first differences.
    """
    try:
        network.load_state_dict(state, assign=True)
    except RuntimeError as error:
        raise wrong_weights(path, what, str(error)) from error
    return network


def wrong_weights(path: Path, what: str, difference: str) -> InputError:
    """The error for a file that belongs to another network."""
    short = " ".join(difference.split())[:300]
    return InputError(
        f"{path} does not hold {what} ({short}); set encoder.weights to its file, or mend"
        " encoder.architecture"
    )
