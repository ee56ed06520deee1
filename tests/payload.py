"""What tests plant in files to see whether anything in them is run."""

from pathlib import Path
from typing import Any


class Touch:
    """Leaves a file behind where it is unpickled without care."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)
