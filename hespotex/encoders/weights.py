"""Weights on this disk or from the hub: finding, reading, loading, and what to do when that fails."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from hespotex.errors import InputError
from hespotex.loading import load_tensors

HUB = "https://huggingface.co"
WRAPPERS = ("state_dict", "model", "teacher")  # training checkpoints keep the weights one level down
State = dict[str, Tensor]


@dataclass(frozen=True)
class Source:
    """Where the weights of a network are published, and on which terms.

    `hub_id`: repository on the Hugging Face hub; `files`: its weights, the first that it has is taken;
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
                f"encoder weights not found: {path}; set encoder.weights=FILE, or null for the hub ({self.hub_id})"
            )
        return found[0]

    def _download(self) -> Path:
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

        failure: Exception = FileNotFoundError()
        for name in self.files:
            try:
                return Path(hf_hub_download(self.hub_id, name))
            except Exception as error:  # the hub client has a family of errors for gated, missing and offline
                failure = error
            if isinstance(failure, LocalEntryNotFoundError) or not isinstance(failure, EntryNotFoundError):
                break
        raise InputError(self._way_out(failure)) from failure

    def _way_out(self, failure: Exception) -> str:
        access = "gated: ask for access there, then `hf auth login`" if self.gated else "not gated"
        return (
            f"could not fetch {' or '.join(self.files)} of {self.hub_id} ({type(failure).__name__}); visit "
            f"{HUB}/{self.hub_id} (licence {self.licence}; {access}), or download the file elsewhere and set "
            "encoder.weights=FILE; encoder=histology needs no download"
        )


def read_state(path: Path) -> State:
    """The tensors of a `.safetensors` file or of a torch checkpoint, which is never trusted with code.

    Raises:
        InputError: the file holds something else.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        content = load_file(path) if path.suffix == ".safetensors" else load_tensors(path)
    except (SafetensorError, InputError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise InputError(f"{path} is no readable weights file ({str(error)[:200]}); set encoder.weights=FILE") from error
    for key in WRAPPERS:
        content = content.get(key, content) if isinstance(content, dict) else content
    if not isinstance(content, dict) or not all(isinstance(value, Tensor) for value in content.values()):
        raise InputError(f"{path} holds {type(content).__name__} instead of named tensors; set encoder.weights=FILE")
    return {key.removeprefix("module."): value for key, value in content.items()}


def part_of(state: State, prefix: str) -> State:
    """The weights under `prefix`, without it."""
    return {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}


def without(state: State, unused: Sequence[str]) -> State:
    """The weights whose names contain none of `unused`."""
    return {key: value for key, value in state.items() if not any(part in key for part in unused)}


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
    return InputError(f"{path} does not hold {what} ({short}); set encoder.weights to its file, or mend encoder.architecture")
