"""What stands beside the code: one version everywhere, a reason for each dependency, forms and
workflows that can be read.
"""

import re
import tomllib

import pytest
import yaml
from conftest import CHECKOUT

import hespotex

PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
CITATION = yaml.safe_load((CHECKOUT / "CITATION.cff").read_text())
HIDDEN = CHECKOUT / ".github"
DOI = "10.1038/s43588-026-00992-0"


def test_one_version_and_it_is_semantic() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", PROJECT["version"])
    assert PROJECT["version"] == hespotex.__version__ == CITATION["version"]
    assert f"## {PROJECT['version']}" in (CHECKOUT / "CHANGELOG.md").read_text()


def test_the_citation_is_of_the_paper_and_has_what_its_schema_requires() -> None:
    assert {"cff-version", "message", "title", "authors"} <= set(CITATION)
    assert CITATION["preferred-citation"]["doi"] == DOI
    assert DOI in (CHECKOUT / "README.md").read_text()
    for entry in (CITATION["preferred-citation"], *CITATION["references"]):
        assert {"type", "title", "authors"} <= set(entry)


def test_each_dependency_says_why() -> None:
    lines = (CHECKOUT / "pyproject.toml").read_text().splitlines()
    listed = [
        *PROJECT["dependencies"],
        *(one for extra in PROJECT["optional-dependencies"].values() for one in extra),
    ]
    silent = [
        one
        for one in listed
        if not any(re.match(rf'\s*"{re.escape(one)}", # \w', line) for line in lines)
    ]
    assert not silent


@pytest.mark.parametrize("path", sorted(HIDDEN.rglob("*.yml")), ids=lambda path: path.stem)
def test_forms_and_workflows_are_yaml_and_name_no_place(path: object) -> None:
    text = path.read_text()  # type: ignore[attr-defined]
    assert yaml.safe_load(text)
    assert not re.search(r"https?://|/home/|/work/|/root/", text)


def test_the_workflow_runs_make_test_on_both_ends_of_what_is_supported() -> None:
    job = yaml.safe_load((HIDDEN / "workflows" / "tests.yml").read_text())["jobs"]["test"]
    assert {"run": "make test"} in job["steps"]
    versions = job["strategy"]["matrix"]["python"]
    assert PROJECT["requires-python"] == f">={versions[0]},<3.{int(versions[1].split('.')[1]) + 1}"
