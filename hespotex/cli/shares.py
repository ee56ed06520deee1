"""Work shared between jobs: which part of a list is this job's."""

import os
from collections.abc import Mapping
from typing import Any

import torch

from hespotex.common.errors import InputError


def own_share(config: Mapping[str, Any]) -> slice:
    """The part of a list that is ours: of `shard` and `shards`, or of what torchrun has started;
    one GPU for each job.

    Raises:
        InputError: a share that cannot be.
    """
    shards = int(os.environ.get("WORLD_SIZE") or config["shards"])
    shard = int(os.environ.get("RANK") or config["shard"])
    if not 0 <= shard < shards:
        raise InputError(f"shard: expected 0 to {shards - 1} (shards={shards}), got {shard}")
    if torch.cuda.is_available():
        torch.cuda.set_device(
            int(os.environ.get("LOCAL_RANK") or shard) % torch.cuda.device_count()
        )
    return slice(shard, None, shards)
