"""Base of the encoders whose weights are published on the hub or kept in a local file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hespotex.encoders.torch_encoder import TorchEncoder
from hespotex.encoders.weights import Source
from hespotex.files import file_fingerprint


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
