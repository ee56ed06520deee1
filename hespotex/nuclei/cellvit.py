"""Nuclei that come with HEST-1k: outlines and classes by CellViT."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import shapely

from hespotex.common.errors import InputError, full_cause
from hespotex.nuclei.files import FileNuclei
from hespotex.nuclei.geojson import features_table, read_features
from hespotex.nuclei.outlines import outlines_table
from hespotex.nuclei.table import NucleiTable, join
from hespotex.sections.section import Section

BATCH = 100_000  # outlines in memory at a time


class CellvitNuclei(FileNuclei):
    """`cellvit_seg/` of HEST-1k: GeoParquet with columns `geometry` (WKB, full-resolution px) and
    `class`, or a zipped GeoJSON list with one MultiPolygon per class, each part of which is a
    nucleus.
    """

    name = "cellvit"
    patterns = (
        "ID_cellvit_seg.parquet",
        "ID_cellvit_seg.geojson.zip",
        "ID_cellvit_seg.geojson",
        "ID.parquet",
    )

    def read(self, path: Path, section: Section) -> NucleiTable:
        """GeoParquet by its suffix, else GeoJSON; areas are those of the outlines.

        Raises:
            InputError: the file cannot be read as outlines.
        """
        if path.suffix == ".parquet":
            return read_parquet(path, section.mpp)
        return features_table(
            read_features(path), ("MultiPoint", "MultiPolygon"), section.mpp, path
        )


def read_parquet(path: Path, mpp: float) -> NucleiTable:
    """Nuclei of a GeoParquet file; `class` may be missing.

    Raises:
        InputError: not Parquet, or no column `geometry` of WKB.
    """
    try:
        file = pq.ParquetFile(path)
        names = file.schema_arrow.names
        if "geometry" not in names:
            raise InputError(
                f"{path}: expected columns geometry (WKB outlines) and class, found {names}"
            )
        columns = [name for name in ("geometry", "class") if name in names]
        return join(
            [
                _batch(batch.to_pydict(), mpp, path)
                for batch in file.iter_batches(BATCH, columns=columns)
            ]
        )
    except InputError:
        raise
    except Exception as error:  # Arrow and GEOS have their own for broken files and outlines
        raise InputError(
            f"{path}: cannot be read as outlines in Parquet ({full_cause(error)})"
        ) from error


def _batch(rows: dict[str, list[object]], mpp: float, path: Path) -> NucleiTable:
    geometry = np.array(rows["geometry"], dtype=object)
    kinds = [
        "" if kind is None else str(kind) for kind in rows.get("class", [None] * len(geometry))
    ]
    return outlines_table(shapely.from_wkb(geometry), kinds, mpp, path)
