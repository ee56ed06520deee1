"""Every reader tells what a section is made from, so that the store keeps it, and never that of
other files.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import write_her2st
from builders.visium import write_flat, write_hd_cells, write_visium, write_visium_hd
from builders.xenium import write_xenium

from hespotex.sections.readers.h5ad import H5adReader
from hespotex.sections.readers.her2st import Her2stReader
from hespotex.sections.readers.spaceranger.visium import VisiumReader
from hespotex.sections.readers.spaceranger.visium_hd import VisiumHDReader
from hespotex.sections.readers.xenium.reader import XeniumReader
from hespotex.sections.section import section_facts
from hespotex.sections.sections import Sections
from hespotex.sections.stored import SectionStore


def visium(root: Path) -> Any:
    write_visium(root / "S" / "outs", image=root / "S" / "he.tif")
    return VisiumReader(str(root))


def visium_folder(root: Path) -> Any:
    """Counts as a folder of three files."""
    outs = root / "S" / "outs"
    write_visium(outs, "filtered_feature_bc_matrix", image=root / "S" / "he.tif")
    return VisiumReader(str(root))


def bins(root: Path) -> Any:
    write_visium_hd(root / "S" / "outs", image=root / "S" / "he.tif")
    return VisiumHDReader(str(root))


def hd_cells(root: Path) -> Any:
    bins(root)
    write_hd_cells(root / "S" / "outs")
    return VisiumHDReader(str(root), unit="cells")


def xenium(root: Path) -> Any:
    write_xenium(root / "S")
    return XeniumReader(str(root))


def her2st(root: Path) -> Any:
    write_her2st(root)
    return Her2stReader(str(root))


def flat(root: Path) -> Any:
    write_flat(root, "S")
    return H5adReader(str(root), pitch_um=100.0)


def pools(root: Path) -> Any:
    return VisiumHDReader(str(root), bin_um=8, pool=2)


def transcripts(root: Path) -> Any:
    return XeniumReader(str(root), counts="transcripts")


def other_bins(root: Path) -> Any:
    return VisiumHDReader(str(root))


MAKERS = [visium, visium_folder, bins, hd_cells, xenium, her2st, flat]
OTHER_SETTINGS = [(bins, pools), (hd_cells, other_bins), (xenium, transcripts)]


def sections(reader: Any, store: Path) -> Sections:
    return Sections(reader, min_counts=1, keep_gib=0.0, store=SectionStore(store))


def refuse(section_id: str) -> None:
    raise AssertionError(f"{section_id} was read again")


@pytest.mark.parametrize("make", MAKERS)
def test_it_is_read_once(make: Callable[[Path], Any], tmp_path: Path) -> None:
    reader = make(tmp_path / "data")
    first = sections(reader, tmp_path / "store")
    (section_id,) = first.keys
    read = first[section_id]
    second = sections(reader, tmp_path / "store")
    second.reader.read = refuse  # type: ignore[assignment,method-assign]
    again = second[section_id]
    assert section_facts(again) == section_facts(read)
    np.testing.assert_array_equal(again.adata.X.toarray(), read.adata.X.toarray())
    assert again.adata.obs.equals(read.adata.obs)
    assert (again.pixels, again.pitch_um) == (read.pixels, read.pitch_um)


@pytest.mark.parametrize("make", MAKERS)
def test_every_file_counts(make: Callable[[Path], Any], tmp_path: Path) -> None:
    """Whichever changes, the section is another one."""
    reader = make(tmp_path / "data")
    (section_id,) = (key.section_id for key in reader.section_keys())
    origin = reader.made_from(section_id)
    assert origin.files[-1] == reader.read(section_id).pixels
    for path in origin.files:
        before = reader.made_from(section_id).identity()
        content = path.read_bytes()
        path.write_bytes(content + b"\n")
        assert reader.made_from(section_id).identity() != before, path
        path.write_bytes(content)


@pytest.mark.parametrize(("make", "other"), OTHER_SETTINGS)
def test_settings_count(
    make: Callable[[Path], Any], other: Callable[[Path], Any], tmp_path: Path
) -> None:
    reader = make(tmp_path / "data")
    (section_id,) = (key.section_id for key in reader.section_keys())
    one = reader.made_from(section_id)
    assert one.settings != other(tmp_path / "data").made_from(section_id).settings
