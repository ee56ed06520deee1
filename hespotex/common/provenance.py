"""What made a result: versions, commit, config. Stored with every output."""

import platform
import subprocess
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import hespotex

# of a config: they change no number
IGNORED = (
    "restart",
    "finalize",
    "paths.",
    "store.root",
    "store.read_workers",
    "logger.",
    "callbacks.progress",
    "trainer.devices",
    "trainer.accelerator",
)
KEY = "hespotex"  # where a Lightning checkpoint keeps our facts
PACKAGES = (
    "torch",
    "pytorch-lightning",
    "torch-geometric",
    "numpy",
    "scipy",
    "anndata",
    "opencv-python-headless",
    "open_clip_torch",
)


def versions() -> dict[str, str]:
    """Versions of this package, of Python and of the packages that shape numbers."""
    return {"hespotex": hespotex.__version__, "python": platform.python_version()} | {
        name: metadata.version(name) for name in PACKAGES
    }


def git_commit() -> str | None:
    """Commit of the checkout, with "+changes" where files differ from it; None outside a checkout.

    An installed package may lie inside a checkout of something else, which does not know it.
    """
    folder = Path(hespotex.__file__).parents[1]
    if _git(folder, "ls-files", "--error-unmatch", "hespotex/__init__.py") is None:
        return None
    commit = _git(folder, "rev-parse", "--short=12", "HEAD")
    return commit and commit + (
        "+changes" if _git(folder, "status", "--porcelain", "--untracked-files=no") else ""
    )


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def flat(config: Any, prefix: str = "") -> dict[str, Any]:
    """Nested config as dotted keys."""
    if not isinstance(config, dict):
        return {prefix: config}
    return {
        key: value
        for name, nested in config.items()
        for key, value in flat(nested, f"{prefix}.{name}".lstrip(".")).items()
    }


def settings(config: dict[str, Any]) -> dict[str, Any]:
    """What makes a run another one, as dotted keys; where and how it ran is left out."""
    return {key: value for key, value in flat(config).items() if not key.startswith(IGNORED)}


def differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Keys of which two sets of settings do not say the same."""
    return [key for key in {**one, **other} if one.get(key) != other.get(key)]
