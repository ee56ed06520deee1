"""Files changed at random; HESPOTEX_MUTATIONS=10000 tries more of them, as a nightly run does."""

import os

import numpy as np

N_MUTATIONS = int(os.environ.get("HESPOTEX_MUTATIONS", "60"))


def mutated(data: bytes, rng: np.random.Generator) -> bytes:
    """A few bytes changed, a piece cut out, doubled, or the end cut off; most often in the
    header.
    """
    content = bytearray(data)
    reach = len(content) if rng.random() < 0.4 else min(400, len(content))
    at = int(rng.integers(reach))
    how = rng.integers(4)
    if how == 0:
        for _ in range(int(rng.integers(1, 5))):
            content[int(rng.integers(reach))] = int(
                rng.choice([0, 1, 0x7F, 0xFF, int(rng.integers(256))])
            )
    elif how == 1:
        del content[at : at + int(rng.integers(1, 40))]
    elif how == 2:
        content[at:at] = content[at : at + int(rng.integers(1, 40))]
    else:
        del content[at:]
    return bytes(content)


WORDS = [
    "null",
    "[]",
    "{}",
    "1e308",
    "1e999",
    "-1",
    '""',
    "true",
    "NaN",
    "[[]]",
    "99999999999999999999",
]


def with_other_word(text: str, rng: np.random.Generator) -> str:
    """JSON or CSV with one number, name or bracket replaced by another kind of value."""
    places = [i for i, letter in enumerate(text) if letter in '[{"0123456789']
    at = int(rng.choice(places))
    return text[:at] + str(rng.choice(WORDS)) + text[at + int(rng.integers(1, 6)) :]
