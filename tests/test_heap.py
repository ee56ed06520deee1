"""Freed arrays leave the process."""

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import sys
from pathlib import Path
import numpy as np
from hespotex.heap import return_freed_memory

def resident():
    lines = Path("/proc/self/status").read_text().splitlines()
    line = next(line for line in lines if line.startswith("VmRSS"))
    return int(line.split()[1]) // 1024

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


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's heap")
def test_a_freed_array_is_given_back() -> None:
    def kept(*words: str) -> int:
        return int(
            subprocess.run(
                [sys.executable, "-c", PROGRAM, *words], capture_output=True, text=True, check=True
            ).stdout
        )

    assert kept() > 15
    assert kept("given back") < 5
