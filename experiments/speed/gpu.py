"""The paper's demonstration on one GPU: `paper.py` with `trainer=gpu`; its options may follow.

Mixed precision is the project's own choice for the GPU at hand (bf16 where it has that).
"""

import sys

from paper import main

if __name__ == "__main__":
    main(["--trainer", "gpu", *sys.argv[1:]])
