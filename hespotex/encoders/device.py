"""Where a network runs, in which precision, and how many patches fit."""

from collections.abc import Callable

import torch

from hespotex.common.errors import InputError

CPU_BATCH = 32
LARGEST_BATCH = 1024  # beyond it no GPU gets faster, and the last batch of a section gets emptier
PROBE = 8
# of the free memory; the rest is for fragments and for the next batch that is being copied
SHARE = 0.6
DTYPES = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}


def choose_device(name: str) -> torch.device:
    """The device of this name; "auto" is a GPU where there is one.

    Raises:
        InputError: torch knows no such device, or this machine has none.
    """
    n_gpus = torch.cuda.device_count()
    try:
        device = torch.device(("cuda" if n_gpus else "cpu") if name == "auto" else name)
    except RuntimeError as error:
        raise InputError(
            f"encoder.device={name} is unknown to torch; set auto, cpu or cuda"
        ) from error
    if device.type == "cuda" and (device.index or 0) >= n_gpus:
        raise InputError(
            f"encoder.device={name}, but torch sees {n_gpus} CUDA devices here; set"
            " encoder.device=auto or cpu"
        )
    return device


def choose_precision(name: str, device: torch.device) -> str:
    """ "auto" is bf16 on a GPU that computes in it and fp32 elsewhere: on a CPU without AMX bf16 is
    7 times slower.

    Raises:
        InputError: no such precision.
    """
    if name == "auto":
        return (
            "bf16"
            if device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
            else "fp32"
        )
    if name not in DTYPES:
        raise InputError(f"encoder.precision={name}; expected auto, {', '.join(DTYPES)}")
    return name


def fitting_batch(encode: Callable[[int], object], device: torch.device) -> int:
    """Patches at once: 32 on a CPU; on a GPU the largest power of two up to 1024 whose peak fits
    into the free memory.

    Args:
        encode: encodes this many patches; the peak of two small batches, scaled up, is the
          estimate.
        device: where it does so.
    """
    if device.type != "cuda":
        return CPU_BATCH
    encode(PROBE)  # puts the weights there
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    encode(PROBE)
    per_patch = (torch.cuda.max_memory_allocated(device) - before) / PROBE
    cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return largest_power_of_two(
        SHARE * (torch.cuda.mem_get_info(device)[0] + cached) / max(per_patch, 1)
    )


def largest_power_of_two(fitting: float) -> int:
    """The largest power of two up to `fitting` and 1024; 1 where nothing fits."""
    return min(1 << max(int(fitting), 1).bit_length() - 1, LARGEST_BATCH)
