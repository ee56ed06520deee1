"""What a run cost."""

import resource
import sys
from time import perf_counter
from typing import Any

import torch

SCALING = ("gene_mean", "gene_std", "lowest")  # facts of the data that travel in every module
RSS_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes


def cost(n_parameters: int, seconds: dict[str, float], n_spots: int) -> dict[str, Any]:
    """Numbers a reader can hold against the gain.

    `parameters`: numbers that were fitted, in closed form or by epochs, and are kept for
    prediction. `spots_per_second`: prediction of the `n_spots` test spots, from embeddings.
    `peak_memory_gb` is that of the process so far: in a sweep, of all its runs up to this one.
    `threads`: of torch. `peak_gpu_gb`: None without a GPU.
    """
    return {
        "seconds": seconds,
        "spots_per_second": n_spots / max(seconds["predict"], 1e-9),
        "threads": torch.get_num_threads(),
        "parameters": n_parameters,
        "peak_memory_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * RSS_UNIT / 1e9,
        "peak_gpu_gb": torch.cuda.max_memory_allocated() / 1e9
        if torch.cuda.is_available()
        else None,
    }


def parameters(module: torch.nn.Module) -> int:
    """Numbers that were fitted; facts of the data that travel with them do not count."""
    state = module.state_dict()
    return sum(value.numel() for name, value in state.items() if name not in SCALING)


class Laps:
    """Wall time of each part of a run."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.started = perf_counter()

    def lap(self, name: str) -> None:
        """What was done since the last lap is called so."""
        now = perf_counter()
        self.seconds[name], self.started = now - self.started, now
