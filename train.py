"""Train one model on one fold: `python train.py data=... model=... fold.index=...`; `--help` tells
the rest.
"""

from hespotex.train import main

if __name__ == "__main__":
    main()
