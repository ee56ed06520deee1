"""Who the sections come from: patients as the user tells them."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from hespotex.common.errors import InputError
from hespotex.common.typed_paths import typed_path
from hespotex.common.user_table import read_user_table
from hespotex.sections.ids import plain_id, typed_keys

log = logging.getLogger(__name__)
# {section_id: patient}, a CSV with columns section_id,patient, or unknown
Groups = dict[str, str] | str | None


def read_groups(groups: Groups, section_ids: Sequence[str]) -> dict[str, str]:
    """Group of each section: its patient; where nothing is told, each section is one by itself,
    with a warning.

    Raises:
        InputError: sections without a patient, or with two.
    """
    if not groups:
        if len(section_ids) > 1:
            log.warning(
                "patients are unknown: each of %d sections counts as one, so two of one patient may"
                " train and test; set data.reader.groups={ID: PATIENT,...} or a CSV with columns"
                " section_id,patient",
                len(section_ids),
            )
        return {section_id: section_id for section_id in section_ids}
    if isinstance(groups, str):
        patients = _from_table(typed_path(groups))
    else:
        patients = {name: plain_id(v) for name, v in typed_keys(groups, section_ids).items()}
    _check(patients, section_ids)
    return {section_id: patients[section_id] for section_id in section_ids}


def _from_table(path: Path) -> dict[str, str]:
    table = read_user_table(path, "data.reader.groups", ["section_id", "patient"])
    pairs = dict.fromkeys(
        zip(table.text("section_id"), table.text("patient", blank=True), strict=True)
    )
    ids = [section_id for section_id, _ in pairs]
    if twice := sorted({name for name in ids if ids.count(name) > 1}):
        raise InputError(f"{path} (data.reader.groups): sections of two patients: {twice}")
    return dict(tuple(pairs))


def _check(patients: Mapping[str, str], section_ids: Sequence[str]) -> None:
    absent = [i for i in section_ids if not plain_id(patients.get(i, ""))]
    if absent:
        raise InputError(
            f"data.reader.groups names no patient of {absent}; it holds {sorted(patients)[:20]}."
            " Name each section's patient, or leave it out with data.reader.sections"
        )
