"""Models that come with HESpotEx: bundles in `models/`, known by their names."""

from pathlib import Path

FOLDER = Path(__file__).parent / "models"


def supplied_models() -> dict[str, Path]:
    """The folder of each bundle that comes with HESpotEx, by its name."""
    return {path.name: path for path in sorted(FOLDER.glob("*")) if path.is_dir()}
