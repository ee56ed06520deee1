"""Two encoders (or more) side by side, and what their settings and identities look like: asked
here, nowhere else.
"""

from typing import Any

from hespotex.common.errors import InputError

Settings = dict[str, Any]


class SideBySide:
    """Each part sees its own patches; the data layer runs and stores the parts one by one and
    concatenates them.

    Args:
        name: shown in tables and file names.
        parts: encoders by name, in the order of their columns.
        patch_um: physical sides of the patches (um) of all parts; None leaves each its own.
    """

    def __init__(
        self, name: str, parts: dict[str, Any], patch_um: list[float] | None = None
    ) -> None:
        self.name = name
        self.by_name = {key: part for key, part in parts.items() if part is not None}
        if not self.by_name:
            raise InputError(
                "encoder.parts is empty; name at least one encoder, such as"
                " encoder@encoder.parts.first=histology"
            )
        for part in self.parts if patch_um else []:
            part.patch_um = list(patch_um or [])

    @property
    def parts(self) -> list[Any]:
        """The encoders in the order of their columns."""
        return list(self.by_name.values())

    def identity(self) -> dict[str, Any]:
        """The identity of each part by its name, in the order of the columns."""
        return {
            "name": self.name,
            "parts": {key: part.identity() for key, part in self.by_name.items()},
        }


def has_parts(settings: Settings) -> bool:
    """Whether settings, or an identity, are of several encoders."""
    return "parts" in settings


def part_settings(settings: Settings) -> dict[str, Settings]:
    """The settings of each encoder by its part's name, less the parts that were left out; of one
    alone under "".
    """
    if not has_parts(settings):
        return {"": settings}
    shared = {"patch_um": settings["patch_um"]} if settings.get("patch_um") else {}
    return {name: part | shared for name, part in settings["parts"].items() if part is not None}


def part_identities(identity: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The identity of each encoder by its part's name; of one alone under ""."""
    found: dict[str, dict[str, Any]] = identity["parts"] if has_parts(identity) else {"": identity}
    return found
