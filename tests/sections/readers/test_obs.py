"""Patients of h5ad files as every anndata wrote them: values, never the codes of categories."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
from builders.visium import as_adata, truth, write_flat

from hespotex.common.errors import InputError
from hespotex.sections.readers.h5ad import H5adReader
from hespotex.sections.readers.obs import read_obs

TEXT = h5py.string_dtype()


def now(path: Path, patient: str, known: list[str]) -> None:
    table = as_adata(truth())
    table.obs["patient"] = pd.Categorical([patient] * table.n_obs, categories=known)
    table.write_h5ad(path)


def of_07(path: Path, patient: str, known: list[str]) -> None:
    now(path, patient, known)
    with h5py.File(path, "r+") as file:
        obs = file["obs"]
        del obs["patient"]
        obs.attrs["encoding-version"] = "0.1.0"
        categories = obs.create_group("__categories")
        listed = categories.create_dataset(
            "patient", data=np.array(known, dtype=object), dtype=TEXT
        )
        listed.attrs["ordered"] = False
        obs["patient"] = np.full(36, known.index(patient), dtype=np.int8)
        obs["patient"].attrs["categories"] = listed.ref


def of_06(path: Path, patient: str, known: list[str]) -> None:
    now(path, patient, known)
    rows = [(name.encode(), known.index(patient)) for name in truth().barcodes]
    with h5py.File(path, "r+") as file:
        del file["obs"]
        file["obs"] = np.array(rows, dtype=[("index", "S20"), ("patient", "i1")])
        file["uns/patient_categories"] = np.array([name.encode() for name in known])


@pytest.mark.parametrize("write", [now, of_07, of_06], ids=lambda write: write.__name__)
def test_patients_are_values(tmp_path: Path, write: Any) -> None:
    for name, patient, known in (
        ("A", "P1", ["P1", "P2"]), ("B", "P1", ["P0", "P1"]), ("C", "P3", ["P1", "P2", "P3"]),
    ):  # fmt: skip
        path = write_flat(tmp_path, name)
        write(path, patient, known)
        assert set(read_obs(path)["patient"]) == {patient}
    keys = H5adReader(str(tmp_path), group_key="patient").section_keys()
    assert [key.group for key in keys] == ["P1", "P1", "P3"]


@pytest.mark.parametrize(
    ("values", "patient"),
    [(1, "1"), (1.0, "1"), ("1", "1"), (" P1 ", "P1"), (np.int8(7), "7"), (True, "True")],
)
def test_one_patient_of_any_type(tmp_path: Path, values: Any, patient: str) -> None:
    table = as_adata(truth())
    table.obs["patient"] = [values] * table.n_obs
    write_flat(tmp_path, "A", table=table)
    assert H5adReader(str(tmp_path), group_key="patient").section_keys()[0].group == patient


@pytest.mark.parametrize("values", [["P1", "P2"], [np.nan, np.nan], ["P1", None], ["", ""], [1, 2]])
def test_no_one_patient(tmp_path: Path, values: list[Any]) -> None:
    table = as_adata(truth())
    table.obs["patient"] = pd.Categorical(values * 18)
    write_flat(tmp_path, "A", table=table)
    with pytest.raises(InputError, match=r"expected one patient in obs\['patient'\], found \["):
        H5adReader(str(tmp_path), group_key="patient")


@pytest.mark.parametrize("cut", [0, 100, 3000])
def test_a_broken_file_is_named(tmp_path: Path, cut: int) -> None:
    path = write_flat(tmp_path, "A")
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(InputError, match=r"A.h5ad: obs cannot be read"):
        H5adReader(str(tmp_path), group_key="patient")
