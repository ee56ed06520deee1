"""Which sections of one fold train, validate and test."""

from dataclasses import asdict, dataclass, field, replace
from typing import Any

from hespotex.common.errors import InputError


@dataclass(frozen=True)
class Split:
    """Section ids of one fold. `leaks` says in words what a reader of its numbers must know."""

    index: int
    n_folds: int
    train: list[str]
    val: list[str]
    test: list[str]
    leaks: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """The fields by name, as `split.json` and the checkpoint hold them."""
        return asdict(self)

    def without_validation(self) -> "Split":
        """All sections but the test sections train: nothing is chosen on any."""
        return replace(self, train=[*self.train, *self.val], val=[])

    def validated_on_test(self) -> "Split":
        """As released: all other sections train, and the test sections choose the epoch; nothing
        does where there are none.
        """
        if not self.test:
            return self.without_validation()
        leak = "the epoch was chosen on the test section"
        return replace(
            self, train=[*self.train, *self.val], val=self.test, leaks=[*self.leaks, leak]
        )


def selected(split: Split, on: str | None) -> Split:
    """The split for a model whose epoch is chosen "on" its validation sections, on "test" as
    released, or on nothing (None).
    """
    if on not in ("validation", "test", None):
        raise InputError(f"model.select_on: expected validation, test or null, got {on!r}")
    if on == "validation":
        return split
    return split.validated_on_test() if on == "test" else split.without_validation()
