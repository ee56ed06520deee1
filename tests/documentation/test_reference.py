"""The generated reference says of each key what its config says."""

from pathlib import Path

import pytest
import yaml
from conftest import CHECKOUT, compose_config
from omegaconf import OmegaConf

from documentation import pages as _  # noqa: F401, puts docs/ on the path

FILES = sorted((CHECKOUT / "conf").rglob("*.yaml"))


def test_a_key_with_default_and_comment() -> None:
    from config_reference import read_option

    option = read_option(CHECKOUT / "conf" / "data" / "hest.yaml")
    keys = {key.path: key for key in option.keys}
    assert option.parents == ["base"]
    assert option.about.startswith("HEST-1k folder")
    assert (keys["data.download"].default, keys["data.download"].comment[:5]) == ("false", "fetch")
    assert keys["data.reader"].default == "HestReader"
    assert keys["data.select"].comment.startswith("each a value or a list")
    assert keys["data.reader.patient_pattern"].default == "null"


def test_what_a_config_takes_from_other_groups() -> None:
    from config_reference import read_option

    assert "encoder=histology" in read_option(CHECKOUT / "conf" / "train.yaml").chosen
    assert read_option(CHECKOUT / "conf" / "data" / "hest_benchmark.yaml").chosen == ["panel=list"]


def test_shared_parts_have_their_keys_and_are_no_options() -> None:
    from config_reference import pages

    page = pages()["fold-shared"]
    assert page.startswith("# What options of `fold` share")
    assert "`` fold.validation `` | `` 0.2 `` | share of the training groups" in page
    assert not [
        name
        for name, text in pages().items()
        if "/shared=" in text or "Group `fold/shared`" in text
    ]
    assert "Starts from `shared/base`." in pages()["fold"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(CHECKOUT / "conf")))
def test_every_config_is_read_and_says_what_it_is(path: Path) -> None:
    from config_reference import read_option

    option = read_option(path)
    assert option.about, "a config starts with a comment that says what it is"
    own = [
        key
        for key in yaml.safe_load(path.read_text()) or {}
        if key not in ("defaults", "hydra") and not key.startswith("_")
    ]
    assert len(option.keys) >= len(own)


def test_keys_of_the_default_config_are_all_there(tmp_path: Path) -> None:
    from config_reference import read_options

    known = {key.path for option in read_options() for key in option.keys}
    config = OmegaConf.to_container(compose_config("train", [], tmp_path))
    missing = [
        path
        for path in _leaves(config, "")
        if not any(path == key or path.startswith(f"{key}.") for key in known)
    ]
    assert not missing


def _leaves(node: object, prefix: str) -> list[str]:
    if not isinstance(node, dict):
        return [prefix]
    pairs = [
        (f"{prefix}.{key}".strip("."), value)
        for key, value in node.items()
        if not str(key).startswith("_")
    ]
    return [leaf for path, value in pairs for leaf in _leaves(value, path)]


def test_the_parser_of_a_command() -> None:
    from command_reference import parser_of, verbs

    assert verbs()["hespotex.store"]
    assert not verbs()["hespotex.doctor"]
    words = parser_of("hespotex.store").parse_args(["clean", "--older", "90"])
    assert (words.older, words.yes) == (90.0, False)


def test_pages_are_written_once_and_those_that_are_gone_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import command_reference
    import generate

    monkeypatch.setattr(command_reference, "page", lambda: "commands")
    generate.write_all(tmp_path)
    (tmp_path / "config" / "gone.md").write_text("an option of yesterday")
    dates = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.md")}
    generate.write_all(tmp_path)
    del dates[tmp_path / "config" / "gone.md"]
    assert dates == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.md")}
    assert {"index.md", "sections.md", "commands.md"} <= {
        path.name for path in (tmp_path / "api").iterdir()
    }
    assert "`pcc_gene`" in (tmp_path / "tables" / "sections.md").read_text()
