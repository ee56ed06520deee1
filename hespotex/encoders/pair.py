"""Two encoders (or more) side by side."""

from typing import Any

from hespotex.errors import InputError


class SideBySide:
    """Each part sees its own patches; the data layer runs and stores the parts one by one and concatenates them.

    Args:
        name: shown in tables and file names.
        parts: encoders by name, in the order of their columns.
    """

    def __init__(self, name: str, parts: dict[str, Any]) -> None:
        self.name, self.by_name = name, {key: part for key, part in parts.items() if part is not None}
        if not self.by_name:
            raise InputError("encoder.parts is empty; name at least one encoder, such as encoder@encoder.parts.first=histology")

    @property
    def parts(self) -> list[Any]:
        """The encoders in the order of their columns."""
        return list(self.by_name.values())

    def identity(self) -> dict[str, Any]:
        return {"name": self.name, "parts": {key: part.identity() for key, part in self.by_name.items()}}
