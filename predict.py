"""Predict on slides, or score on another data set: `python predict.py checkpoint=... slides=...`;
`--help` tells the rest.
"""

from hespotex.predict import main

if __name__ == "__main__":
    main()
