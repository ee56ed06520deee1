"""Base of the encoders whose weights are published: on the hub, in a package, or kept in a local
file.
"""

import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from hespotex.common.errors import InputError
from hespotex.common.files import file_fingerprint
from hespotex.encoders.torch_encoder import TorchEncoder
from hespotex.encoders.weights import Package, Source

log = logging.getLogger("hespotex.encoders")
FILES = (
    "pretrained",
    "checkpoint",
    "cache",
    "file",
    "path",
    "url",
    "auto",
    "trust",
    "code",
    "attn_impl",
)


def checked_architecture(name: str, kwargs: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Refuse an architecture that would make its package fetch or load a file: weights come from
    here only.

    Args:
        name: of the architecture.
        kwargs: its settings, which may come with a checkpoint of somebody else's.

    Raises:
        InputError: a name with a place in it, or a setting that is no number, switch or short word.
    """
    if not re.fullmatch(r"[\w.-]+", str(name)):
        raise InputError(
            f"encoder.architecture={name!r}: expected the name of an architecture, no place"
        )
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
        licence: as the page of the weights names it.
        hub_id: repository on the Hugging Face hub; its page has the model card and the licence.
        gated: whether one has to ask for access there.
        hub_files: names of the weights there; the first that exists is taken.
        package: instead of the hub, a package with the weights: `name`, `version`, `file`, `sha256`
          and `install`; see `Package`.
        weights: local file (or the folder it is in) that replaces hub and package.
        **kwargs: see `TorchEncoder`.
    """

    def __init__(
        self,
        licence: str,
        hub_id: str = "",
        gated: bool = False,
        hub_files: Sequence[str] = (),
        package: dict[str, str] | None = None,
        weights: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.source: Package | Source = (
            Package(licence=licence, **package)
            if package
            else Source(hub_id, tuple(hub_files), licence, gated)
        )
        self.weights = weights
        self._file: Path | None = None

    def identity(self) -> dict[str, Any]:
        """How pixels are prepared, the architecture, and a hash of the weights."""
        return (
            super().identity()
            | self.architecture_identity()
            | {"weights": file_fingerprint(self.weights_file())}
        )

    def architecture_identity(self) -> dict[str, Any]:
        """Plain values that fix how the weights are used."""
        raise NotImplementedError

    def weights_file(self) -> Path:
        """The weights on this disk, downloaded if need be."""
        if self._file is None:
            self._file = self.source.find(self.weights)
        return self._file

    def _start(self) -> nn.Module:
        if self._network is None:
            log.info("encoder %s: weights of licence %s", self.name, self.source.licence)
        return super()._start()
