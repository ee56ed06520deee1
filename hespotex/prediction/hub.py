"""Bundles on the Hugging Face hub: `hf://OWNER/NAME`, or `hf://OWNER/NAME@REVISION`."""

import logging
import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from hespotex.common.errors import InputError
from hespotex.common.hub import ask
from hespotex.records.layout import BUNDLE, FINAL
from hespotex.records.manifest import MANIFEST, check_files
from hespotex.results.programmes import FOLDER as PROGRAMMES

log = logging.getLogger(__name__)
PREFIX = "hf://"
NAME = r"[A-Za-z0-9][\w.-]*"
ADDRESS = re.compile(rf"(?:{PREFIX})?(?P<repo>{NAME}/{NAME})(?:@(?P<revision>[\w./-]+))?")
FOLDERS = [f"{FINAL}/*", "folds/*", f"{PROGRAMMES}/*"]
FILES = ["README.md", "genes.csv", BUNDLE, MANIFEST, *FOLDERS]  # nothing else comes


@dataclass(frozen=True)
class Address:
    """A repository of models, and a branch, tag or commit of it; None is its main branch."""

    repo: str
    revision: str | None = None

    @classmethod
    def of(cls, text: str) -> "Address":
        """Of `hf://OWNER/NAME@REVISION`, or without one or the other end.

        Raises:
            InputError: it is none.
        """
        match = ADDRESS.fullmatch(text.strip())
        if match is None:
            raise InputError(f"{text}: expected {PREFIX}OWNER/NAME, or {PREFIX}OWNER/NAME@REVISION")
        return cls(match["repo"], match["revision"])

    def __str__(self) -> str:
        return f"{PREFIX}{self.repo}" + (f"@{self.revision}" if self.revision else "")


def is_address(place: str) -> bool:
    """Whether a checkpoint is named on the hub."""
    return place.startswith(PREFIX)


def fetch(text: str) -> Path:
    """The folder of a bundle, fetched unless the client's cache has it; without a network the cache
    is taken as it is.

    Raises:
        InputError: no such repository, no network and nothing cached, or no bundle in it.
    """
    import huggingface_hub as hub

    address = Address.of(text)
    call = partial(
        hub.snapshot_download, address.repo, revision=address.revision, allow_patterns=FILES
    )
    folder = Path(ask(call, _no_access(address), _failed(address)))
    if not (folder / BUNDLE).is_file():
        raise InputError(
            f"{address}: holds no bundle of HESpotEx ({BUNDLE} is missing); python -m"
            " hespotex.bundle SWEEP --push OWNER/NAME puts one there"
        )
    check_files(folder)
    if address.revision is None:
        log.info("%s: pin what you have used with %s@%s", address, address, folder.name)
    return folder


def push(bundle: Path, text: str, public: bool = False) -> str:
    """Put a bundle onto the hub; the repository is made where it is missing.

    Args:
        bundle: its folder, whose files are checked first.
        text: see `Address`.
        public: whether a repository that is made can be seen by all.

    Returns:
        The address with the commit that was made.

    Raises:
        InputError: no login, or no network.
    """
    import huggingface_hub as hub

    address = Address.of(text)
    check_files(bundle)
    client: Any = hub.HfApi()
    refusal = _not_pushed(address)
    create = partial(client.create_repo, address.repo, private=not public, exist_ok=True)
    ask(create, refusal, refusal)
    upload = partial(
        client.upload_folder,
        repo_id=address.repo,
        folder_path=bundle,
        revision=address.revision,
        allow_patterns=FILES,
        delete_patterns=FILES,
        commit_message=f"HESpotEx bundle {bundle.name}",
    )
    commit = ask(upload, refusal, refusal)
    pinned = str(Address(address.repo, str(commit.oid)))
    log.info("pushed: checkpoint=%s", pinned)
    return pinned


def _no_access(address: Address) -> str:
    return (
        f"{address}: there is no such repository or revision, or it is not for you to see: look at"
        " https://huggingface.co/" + address.repo + ", accept its terms if it has any, and run"
        " `hf auth login`"
    )


def _failed(address: Address) -> str:
    return (
        f"{address}: could not be fetched ({{error}}), and is not in the cache. Is there a network"
        " (and no HF_HUB_OFFLINE), and room on the disk? Else copy the bundle here and give its"
        " folder"
    )


def _not_pushed(address: Address) -> str:
    return (
        f"{address}: not pushed ({{error}}). Run `hf auth login` with a token that may write, and"
        " push again; the bundle itself lies whole in its folder"
    )
