"""Freed arrays leave the process."""

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import resource
import sys
from pathlib import Path
import numpy as np
from hespotex.common.numerics.heap import keep_freed_memory, return_freed_memory

def resident():
    lines = Path("/proc/self/status").read_text().splitlines()
    line = next(line for line in lines if line.startswith("VmRSS"))
    return int(line.split()[1]) // 1024

if "faults" in sys.argv:
    if "kept" in sys.argv:
        keep_freed_memory()
    for _ in range(20):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        arrays = [np.ones(2**17) for _ in range(4)]
        del arrays
    sys.stdout.write(str(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before))
    sys.exit()

# 24 MiB: from here on glibc keeps arrays of this size on its heap
del (first := [np.ones(24 * 2**17)])[:]
before = resident()
array = np.ones(20 * 2**17)
pins = [bytearray(1000) for _ in range(500)]  # small and above it
del array
if "given back" in sys.argv:
    return_freed_memory()
sys.stdout.write(str(resident() - before))
"""


pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's heap")


def number(*words: str) -> int:
    """What the program says."""
    command = [sys.executable, "-c", PROGRAM, *words]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def test_a_freed_array_is_given_back() -> None:
    assert number() > 15
    assert number("given back") < 5


def test_a_kept_array_costs_no_page_faults() -> None:
    assert number("faults") > 500
    assert number("faults", "kept") < 10
