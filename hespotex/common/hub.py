"""The Hugging Face hub, its errors in words."""

from collections.abc import Callable
from typing import TypeVar

from hespotex.common.errors import InputError

T = TypeVar("T")


def ask(call: Callable[[], T], no_access: str, failed: str) -> T:
    """The answer of the hub's client, which itself resumes and shows progress.

    Args:
        call: of the client, with its arguments bound.
        no_access: what to say where the hub shows nothing to this user.
        failed: what to say of any other error; `{error}` in either is the error itself.

    Raises:
        InputError: one of the two.
    """
    from huggingface_hub.errors import (
        GatedRepoError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        return call()
    except Exception as error:  # the client lets through errors of several network libraries
        hidden = (GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError)
        # without a login the hub hides what is gated or private
        message = no_access if isinstance(error, hidden) else failed
        reason = f"{type(error).__name__}: {error}"
        raise InputError(message.replace("{error}", reason)) from error
