"""Base of the encoders whose weights are published on the hub or kept in a local file."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hespotex.encoders.torch_encoder import TorchEncoder
from hespotex.encoders.weights import Source
from hespotex.errors import InputError
from hespotex.files import file_fingerprint

FILES = ("pretrained", "checkpoint", "cache", "file", "path", "url", "auto", "trust", "code", "attn_impl")


def checked_architecture(name: str, kwargs: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Refuse an architecture that would make its package fetch or load a file: weights come from here only.

    Args:
        name: of the architecture.
        kwargs: its settings, which may come with a checkpoint of somebody else's.

    Raises:
        InputError: a name with a place in it, or a setting that is no number, switch or short word.
    """
    if not re.fullmatch(r"[\w.-]+", str(name)):
        raise InputError(f"encoder.architecture={name!r}: expected the name of an architecture, no place")
    for key, value in (kwargs or {}).items():
        of_a_file = any(word in str(key).lower() for word in FILES)
        if of_a_file or str(key).startswith("_") or not _is_short(value):
            raise InputError(f"encoder.model_kwargs.{key}={value!r}: no setting of an architecture")
    return dict(kwargs or {})


def _is_short(value: Any) -> bool:
    """A number, switch or word, or a list of these."""
    if isinstance(value, list | tuple):
        return all(_is_short(part) for part in value)
    if isinstance(value, str):
        return re.fullmatch(r"\w+", value) is not None
    return value is None or isinstance(value, bool | int | float)


class HubEncoder(TorchEncoder):
    """A network of a known architecture with published weights.

    Args:
        hub_id: repository on the Hugging Face hub; its page has the model card and the licence.
        licence: as that page names it.
        gated: whether one has to ask for access there.
        hub_files: names of the weights there; the first that exists is taken.
        weights: local file (or a folder with one of `hub_files`) that replaces the hub.
        **kwargs: see `TorchEncoder`.
    """

    def __init__(
        self, hub_id: str, licence: str, gated: bool, hub_files: Sequence[str], weights: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.source, self.weights = Source(hub_id, tuple(hub_files), licence, gated), weights
        self._file: Path | None = None

    def identity(self) -> dict[str, Any]:
        return super().identity() | self.architecture_identity() | {"weights": file_fingerprint(self.weights_file())}

    def architecture_identity(self) -> dict[str, Any]:
        """Plain values that fix how the weights are used."""
        raise NotImplementedError

    def weights_file(self) -> Path:
        """The weights on this disk, downloaded if need be."""
        if self._file is None:
            self._file = self.source.find(self.weights)
        return self._file
