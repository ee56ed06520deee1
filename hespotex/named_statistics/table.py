"""The statistics around each spot as a table that says what they mean."""

import anndata as ad
import numpy as np
import pandas as pd

from hespotex.common.errors import InputError
from hespotex.embeddings.embed import embed_section
from hespotex.embeddings.store import EmbeddingStore
from hespotex.encoders.histology import HistologyEncoder
from hespotex.histology.names import statistic_names
from hespotex.results.predictions import spot_table
from hespotex.sections.section import Section

KNOWN = "tissue_fraction", "label"  # columns of obs that are kept


def check_encoder(encoder: object) -> HistologyEncoder:
    """The encoder, if its numbers have names.

    Raises:
        InputError: another one, or a patch size given twice.
    """
    if not isinstance(encoder, HistologyEncoder):
        raise InputError(
            f"encoder={getattr(encoder, 'name', encoder)}: its numbers have no names, only those of"
            " encoder=histology do; python -m hespotex.embed fills the store with any encoder's"
        )
    if len(set(encoder.patch_um)) < len(encoder.patch_um):
        raise InputError(f"encoder.patch_um={encoder.patch_um}: a size is given twice")
    return encoder


def statistics_table(
    section: Section, encoder: HistologyEncoder, store: EmbeddingStore
) -> ad.AnnData:
    """Spots x statistics, float32: `var` says what each means; `obs` has the section, the patient
    and, where known, the share of tissue and a pathologist's label.
    """
    names = statistic_names(encoder.patch_um)
    values = embed_section(section, encoder, store)[:]
    about = {"encoder": encoder.name, "version": encoder.identity()["version"]}
    table = spot_table(section, list(names.index), np.asarray(values), about)
    table.var = names.astype(dict.fromkeys(("statistic", "meaning", "unit"), "category"))
    known = section.adata.obs
    whose = {"section": section.section_id, "patient": section.key.group}
    own = {name: pd.Categorical([value] * len(table)) for name, value in whose.items()}
    kept = {name: known[name].to_numpy() for name in KNOWN if name in known}
    table.obs = pd.DataFrame(own | kept, index=table.obs_names)
    return table
