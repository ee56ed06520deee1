"""What a reader of sections must do."""

import numpy as np
from scipy import sparse

from hespotex.sections.images import image_facts
from hespotex.sections.section import Reader, Section, SectionKey, check_spots
from hespotex.testing.expect import expect


def check_reader(reader: Reader) -> None:
    """Read every section twice and look at what came.

    Raises:
        AssertionError: no sections, ids that repeat, counts that are none, spots outside the image,
          or another section the second time.
    """
    keys = reader.section_keys()
    ids = [key.section_id for key in keys]
    expect(bool(keys), "section_keys: expected at least one section, found none")
    expect(len(set(ids)) == len(ids), f"section_keys: an id stands there twice: {ids}")
    expect(all(isinstance(key.group, str) and key.group for key in keys), "a group is no text")
    expect(reader.section_keys() == keys, "section_keys: another answer the second time")
    for key in keys:
        section = reader.read(key.section_id)
        _check_section(section, key)
        again = reader.read(key.section_id).adata
        same = np.array_equal(section.adata.X.toarray(), again.X.toarray())
        same &= np.array_equal(section.pos_px, again.obsm["spatial"])
        expect(same, f"{key.section_id}: other counts or positions the second time")


def _check_section(section: Section, key: SectionKey) -> None:
    name = key.section_id
    expect(section.key == key, f"{name}: expected the key {key}, found {section.key}")
    counts = section.adata.X
    expect(sparse.isspmatrix_csr(counts), f"{name}: expected counts as CSR, found {type(counts)}")
    expect(counts.shape[0] > 0 and counts.shape[1] > 0, f"{name}: counts of shape {counts.shape}")
    whole = np.isfinite(counts.data).all() and (counts.data >= 0).all()
    expect(bool(whole), f"{name}: expected counts from 0, found others")
    expect(section.adata.obs_names.is_unique, f"{name}: a barcode stands there twice")
    expect(section.adata.var_names.is_unique, f"{name}: a gene stands there twice")
    expect(section.pixels.is_file(), f"{name}: there is no file {section.pixels}")
    if section.image:
        check_spots(section, *image_facts(section.image)[0])
