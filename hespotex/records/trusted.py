"""The door: the one place where something that a file names is built.

What a checkpoint, a bundle or a run folder names is checked whole before any of it is imported or
built, by what may stand at its place, and is built without Hydra: nothing in it is worked out.
"""

import importlib
import inspect
import os
from collections.abc import Mapping
from functools import partial
from typing import Any

from hespotex.common.errors import InputError
from hespotex.records.kinds import KINDS, Kind
from hespotex.records.plain import TARGET, plain

TRUST = "HESPOTEX_TRUST"  # environment: the user's own packages, with commas between them
OURS = "hespotex"
PARTIAL = "_partial_"
ARGUMENTS = "_args_"
HYDRA = (TARGET, PARTIAL, ARGUMENTS, "_recursive_", "_convert_")


def rebuild(config: Any, place: str, **arguments: Any) -> Any:
    """What stands at `place` of a config that comes from a file; None where nothing does.

    Args:
        config: as it was loaded, whole.
        place: one of `KINDS`, such as "data.batching".
        arguments: arguments that no file has, such as widths.

    Raises:
        InputError: it is missing, is not what belongs there, or cannot be made of these settings.
    """
    return rebuild_part(part(config, place), place, **arguments)


def rebuild_part(settings: Any, place: str, **arguments: Any) -> Any:
    """The same, of the settings that stand at this place."""
    content = plain(settings)
    if content is None:
        return None
    kind = KINDS[place]
    check(content, place)
    content = content | _forced(content, kind) | {PARTIAL: False}
    try:
        return _construct(content, (kind, *kind.inside), arguments)
    except InputError:
        raise
    except Exception as error:  # constructors raise whatever they like when settings are wrong
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"{place}: {content[TARGET]} cannot be made of the settings in the file "
            f"({type(error).__name__}: {reason}); it is of another version, or not whole"
        ) from error


def part(config: Any, place: str) -> Any:
    """The settings at a place of a config.

    Raises:
        InputError: there is no such place.
    """
    settings = config
    for name in place.split("."):
        if not isinstance(settings, Mapping) or name not in settings:
            raise InputError(
                f"the file's config has no {place}: it is of another version, or not whole"
            )
        settings = settings[name]
    return settings


def check(content: Any, place: str) -> None:
    """Refuse plain settings that name what does not belong at `place`, at any depth.

    Raises:
        InputError: naming the target, or the value that would be worked out only later.
    """
    kind = KINDS[place]
    if not isinstance(content, dict) or TARGET not in content:
        kind_name = type(content).__name__
        raise InputError(
            f"{place}: expected the settings of a class, found {kind_name}: not loaded"
        )
    _check(content, place, (kind,), kind.inside)


def check_groups(groups: Mapping[str, Any], origin: str) -> None:
    """Refuse config groups of a file, before they are built as a command's own config is, that hold
    what does not belong.

    Args:
        groups: plain settings by the name of their group, such as `data`; changed: what a file does
          not decide is set as `KINDS` says.
        origin: where they come from.

    Raises:
        InputError: a target at no place of `KINDS`, or at the wrong one; values that would be
          worked out only later.
    """
    for place in KINDS:
        group, *names = place.split(".")
        owner = groups.get(group)
        for name in names[:-1]:
            owner = owner.get(name) if isinstance(owner, dict) else None
        content = (
            groups.get(place)
            if not names
            else owner.get(names[-1])
            if isinstance(owner, dict)
            else None
        )
        if content is not None:
            check(content, place)
            content.update(_forced(content, KINDS[place]))
    for group, content in groups.items():
        _check_rest(content, group, origin)


def _check_rest(value: Any, place: str, origin: str) -> None:
    """Nothing is built outside the places of `KINDS`."""
    if place in KINDS:
        return
    if isinstance(value, dict):
        if word := next((word for word in HYDRA if word in value), None):
            raise InputError(
                f"{origin}: {place} holds {word}={value[word]!r}, which does not belong there: not"
                " loaded"
            )
        for name, child in value.items():
            _check_rest(child, f"{place}.{name}", origin)
    elif isinstance(value, list):
        for child in value:
            _check_rest(child, place, origin)
    elif isinstance(value, str) and "${" in value:
        raise InputError(f"{origin}: {place} holds {value!r}, which is no plain value: not loaded")


def _check(value: Any, place: str, here: tuple[Kind, ...], inside: tuple[Kind, ...]) -> None:
    if isinstance(value, dict):
        if TARGET in value:
            _check_hydra_keys(value, place, _kind_of(value[TARGET], place, here))
            here = inside
        elif any(word in value for word in HYDRA):
            raise InputError(f"{place}: the file holds Hydra's words without {TARGET}: not loaded")
        for child in value.values():
            _check(child, place, here, inside)
    elif isinstance(value, list):
        for child in value:
            _check(child, place, here, inside)
    elif isinstance(value, str) and "${" in value:
        raise InputError(f"{place}: the file holds {value!r}, which is no plain value: not loaded")


def _check_hydra_keys(settings: dict[str, Any], place: str, kind: Kind | None) -> None:
    """`_partial_` where a part is made later, `_args_` a list."""
    later = settings.get(PARTIAL, False)
    if later not in (True, False) or (later and kind is not None and not kind.partial):
        raise InputError(f"{place}: {PARTIAL}={later!r} does not belong there: not loaded")
    if not isinstance(settings.get(ARGUMENTS, []), list):
        raise InputError(f"{place}: expected a list of {ARGUMENTS}: not loaded")
    if strange := [name for name in settings if not isinstance(name, str)]:
        raise InputError(f"{place}: expected names of settings, found {strange[0]!r}: not loaded")


def _kind_of(target: Any, place: str, kinds: tuple[Kind, ...]) -> Kind | None:
    """The kind that a target is of; None for a class of a package that the user trusts."""
    if not isinstance(target, str):
        raise InputError(f"{place}: expected the name of a class, found {target!r}: not loaded")
    for kind in kinds:
        if _within(target, kind.package):
            candidate = _class(target, kind.package)
            if candidate is not None and kind.fits(candidate):
                return kind
    for package in _trusted_packages():
        if _within(target, package):
            if _class(target, package) is None:
                raise InputError(f"{place}: {target!r} is no class of {package}: not loaded")
            return None
    raise InputError(_refusal(target, place))


def _refusal(target: str, place: str) -> str:
    if _within(target, OURS) or _within(target, "torch.optim"):
        package = "hespotex" if _within(target, OURS) else "torch.optim"
        return (
            f"the file wants to build {target!r} at {place}, which is no class of {package} that"
            " belongs there: not loaded"
        )
    return (
        f"the file wants to build {target!r} at {place}, which is not part of HESpotEx: not loaded."
        " If you know what is in that package and trust whoever made the file:"
        f" {TRUST}={target.partition('.')[0]} before the command"
    )


def _trusted_packages() -> list[str]:
    """Packages that the user trusts; of ours and of torch's the kinds decide, whatever is said
    here.
    """
    packages = [name.strip() for name in os.environ.get(TRUST, "").split(",")]
    return [name for name in packages if name and not _within(name, OURS)]


def _class(target: str, package: str) -> type | None:
    """The class of this name that the package defines itself: what it has only imported does not
    count.

    Raises:
        InputError: there is no such module, or no such name in it.
    """
    module, _, name = target.rpartition(".")
    try:
        candidate = getattr(importlib.import_module(module), name)
    except Exception as error:  # a module may raise anything while it is imported
        if "is not a package" in str(error):  # a walk along attributes, such as module.os.system
            return None
        raise InputError(
            f"the file wants to build {target!r}, which cannot be imported here: it is of another "
            "version, or its folder is not on PYTHONPATH"
        ) from error
    is_own = isinstance(candidate, type) and _within(str(candidate.__module__), package)
    return candidate if is_own else None


def _within(name: str, package: str) -> bool:
    return name.startswith(f"{package}.") or name == package


def _forced(settings: dict[str, Any], kind: Kind) -> dict[str, Any]:
    """What no file decides, of what the class at the root takes."""
    parameters = inspect.signature(_checked_class(settings[TARGET], (kind,))).parameters
    return {name: value for name, value in kind.forced.items() if name in parameters}


def _checked_class(target: str, kinds: tuple[Kind, ...]) -> type:
    """A class that was checked before."""
    packages = [*(kind.package for kind in kinds), *_trusted_packages()]
    for package in packages:
        if _within(target, package) and (candidate := _class(target, package)) is not None:
            return candidate
    raise InputError(f"{target!r} was not checked: not loaded")


def _construct(value: Any, kinds: tuple[Kind, ...], keywords: Mapping[str, Any]) -> Any:
    """Objects for what `check` let pass, the innermost first."""
    if isinstance(value, list):
        return [_construct(child, kinds, {}) for child in value]
    if not isinstance(value, dict):
        return value
    settings = {
        name: _construct(child, kinds, {}) for name, child in value.items() if name not in HYDRA
    }
    if TARGET not in value:
        return settings
    arguments = _construct(value.get(ARGUMENTS, []), kinds, {})
    make = partial(_checked_class(value[TARGET], kinds), *arguments, **settings, **keywords)
    return make if value.get(PARTIAL) else make()
