"""Freed memory goes back to the system, so that a process holds what it uses."""

import ctypes
import sys

# of mallopt (malloc.h)
TRIM_THRESHOLD = -1
MMAP_THRESHOLD = -3
LARGEST_ON_HEAP = 2**25  # bytes; glibc allows no more
KEPT = 2**30  # bytes


def keep_freed_memory() -> None:
    """Have glibc keep what is freed, for the next array, until `return_freed_memory`; no effect
    with another C library.

    By itself it gives a freed array back at once, and the next one costs page faults: half of the
    time of ranks of 5,000 spots.
    """
    if sys.platform == "linux" and (set_option := getattr(ctypes.CDLL(None), "mallopt", None)):
        set_option(MMAP_THRESHOLD, LARGEST_ON_HEAP)
        set_option(TRIM_THRESHOLD, KEPT)


def return_freed_memory() -> None:
    """Have glibc give back the gaps of its heap; no effect with another C library.

    Aligned arrays (torch) and others (NumPy) of one size do not fit each other's gaps, so work that
    frees many of both grows by
    gaps alone: scoring 500,000 spots by 15 GiB. Mapping every large array by itself
    (M_MMAP_THRESHOLD) would end that as
    well, but costs page faults: an epoch of 100,000 spots took 4.7 s for 3.2.
    """
    if sys.platform == "linux" and (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)):
        trim(0)
