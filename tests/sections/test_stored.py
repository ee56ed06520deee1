"""Sections that do not fit in memory: kept in the store as they were, and never those of other
data.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from anndata import read_h5ad

from hespotex.embeddings.store_files import stored_files, why_unusable
from hespotex.sections.gene_names import GeneNames
from hespotex.sections.readers.hest.folder import HestReader
from hespotex.sections.section import Section, section_facts
from hespotex.sections.sections import Sections
from hespotex.sections.stored import SectionStore


@pytest.fixture
def data(small_demo: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(small_demo, tmp_path / "data"))


def sections(data: Path, keep_gib: float = 0.0, mpp: float | None = None) -> Sections:
    names = GeneNames(one_name=True)
    store = SectionStore(data.parent / "store")
    return Sections(HestReader(str(data), mpp), names, 25, keep_gib, store)


def refuse(section_id: str) -> Section:
    raise AssertionError(f"{section_id} was read again")


def stored(data: Path) -> list[Path]:
    return sorted((data.parent / "store").glob("*/counts-*.h5"))


def test_what_comes_from_the_store_is_what_was_read(data: Path) -> None:
    """In another process, whose reader may not read."""
    first = sections(data)
    ids = list(first.keys)
    read = {i: first[i] for i in ids}
    assert len(stored(data)) == len(ids)
    second = sections(data)
    second.reader.read = refuse  # type: ignore[method-assign]
    for section_id in ids:
        one, other = read[section_id], second[section_id]
        assert section_facts(one) == section_facts(other)
        assert np.array_equal(one.adata.X.data, other.adata.X.data)
        assert np.array_equal(one.adata.X.indices, other.adata.X.indices)
        assert other.adata.X.dtype == np.float32
        assert one.adata.obs.equals(other.adata.obs)
        assert np.array_equal(one.pos, other.pos)
        assert (one.key, one.mpp, one.mpp_source) == (other.key, other.mpp, other.mpp_source)
        assert (one.image, one.pitch_um) == (other.image, other.pitch_um)


def one_count_more(data: Path, section_id: str) -> None:
    path = data / "st" / f"{section_id}.h5ad"
    adata = read_h5ad(path)
    adata.X.data[0] += 1
    adata.write_h5ad(path)


def other_scale(data: Path, section_id: str) -> None:
    path = data / "metadata" / f"{section_id}.json"
    path.write_text(path.read_text().replace('_embedded": 1', '_embedded": 1.0'))


@pytest.mark.parametrize("change", [one_count_more, other_scale])
def test_other_data_are_read_anew(data: Path, change: Callable[[Path, str], None]) -> None:
    first = sections(data)
    section_id = next(iter(first.keys))
    before = first[section_id].adata.X.sum()
    change(data, section_id)
    after = sections(data)[section_id].adata.X.sum()
    assert len(stored(data)) == 2
    assert after == before + (change is one_count_more)


def test_other_settings_are_read_anew(data: Path) -> None:
    section_id = next(iter(sections(data).keys))
    assert sections(data)[section_id].mpp != sections(data, mpp=0.705)[section_id].mpp


def test_a_damaged_file_is_read_anew(data: Path, caplog: pytest.LogCaptureFixture) -> None:
    first = sections(data)
    section_id = next(iter(first.keys))
    before = first[section_id]
    (path,) = stored(data)
    content = path.read_bytes()
    path.write_bytes(content.replace(before.pos_px[3:9].tobytes(), bytes(96)))
    assert content != path.read_bytes()
    assert section_facts(sections(data)[section_id]) == section_facts(before)
    assert "damaged" in caplog.text
    assert path.read_bytes() == content


def test_the_store_lists_them(data: Path) -> None:
    own = sections(data)
    read = [own[section_id] for section_id in own.keys]
    listed = list(stored_files(data.parent / "store"))
    assert [(one.name, one.shape) for one in listed] == [("counts", s.adata.shape) for s in read]
    assert not any(map(why_unusable, listed))


def test_what_fits_in_memory_is_not_stored(data: Path) -> None:
    own = sections(data, keep_gib=1.0)
    for section_id in own.keys:
        own[section_id]
    assert not stored(data)
