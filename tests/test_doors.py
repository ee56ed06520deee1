"""What a file holds is opened and built at a few places only; whoever adds another one is told
here.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import CHECKOUT

SOURCES = [
    *sorted((CHECKOUT / "hespotex").rglob("*.py")),
    CHECKOUT / "train.py",
    CHECKOUT / "predict.py",
]
DOORS = {  # last names of a call, and the modules where it may stand
    "instantiate": ["records/build.py"],
    "utils.call": [],
    "get_object": [],
    "get_class": [],
    "get_method": [],
    "import_module": ["records/trusted.py"],
    "torch.load": ["common/loading.py"],
    "hub.load": [],
    "np.load": ["common/loading.py"],
    "loadtxt": [],
    "genfromtxt": [],
    "h5py.File": ["common/hdf5.py", "embeddings/store.py"],  # two write
    "TiffFile": ["sections/images/tiff_file.py"],  # looks for a circle of pages
    "tifffile.imread": [],
    "ad.read_h5ad": ["common/hdf5.py"],
    "anndata.read_h5ad": [],
    "read_hdf": [],
    "read_pickle": [],
    "read_zarr": ["sections/readers/zarr_object.py"],  # looks for pickled values
    "pickle.load": [],
    "pickle.loads": [],
    "Unpickler": [],
    "joblib.load": [],
    "eval": [],
    "exec": [],
    "compile": [],
    "__import__": [],
    "yaml.load": [],
    "unsafe_load": [],
    "full_load": [],
    "OmegaConf.load": [],
    "load_from_checkpoint": [],
    "os.system": [],
    # of help texts; and of sweep.subdir, which reads config.json as plain values
    "register_new_resolver": ["cli/typos.py", "sweep.py"],
}
BUILDERS = [  # they build what the user's own command names, and nothing of a file
    "api.py",
    "benchmark/",
    "checkup/",
    "hest_benchmark.py",
    "named_statistics/run.py",
    "prediction/external.py",
    "prediction/measured/informed.py",
    "prediction/predictor.py",
    "training/fill.py",
    "training/fit.py",
    "training/given.py",
    "training/left_out.py",
    "training/run.py",
    "training/teacher.py",
]
KEYWORDS = {"allow_pickle": False, "weights_only": True}


def _place(file: Path) -> str:
    return (
        file.relative_to(CHECKOUT / "hespotex").as_posix()
        if file.is_relative_to(CHECKOUT / "hespotex")
        else file.name
    )


def _calls(source: str) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def faults(place: str, source: str) -> list[str]:
    """Calls that do not belong there."""
    found = []
    for name, call in _calls(source):
        for door, homes in DOORS.items():
            of_itself = "." not in door and door in ("eval", "exec", "compile")
            at_door = name == door or (not of_itself and name.endswith(f".{door}"))
            if at_door and place not in homes:
                found.append(f"{place}:{call.lineno}: {name}")
        loose = [word for word in call.keywords if word.arg in KEYWORDS]
        loose = [word for word in loose if ast.unparse(word.value) != str(KEYWORDS[str(word.arg)])]
        found += [f"{place}:{call.lineno}: {word.arg}" for word in loose]
    return found


def imports_of_build(source: str) -> list[str]:
    """Names taken from `hespotex.records.build`, less the type."""
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom)]
    builds = [node for node in nodes if node.module == "hespotex.records.build"]
    names = [name.name for node in builds for name in node.names]
    return [name for name in names if name not in ("Config", "precision", "resolved")]


@pytest.mark.parametrize("file", SOURCES, ids=_place)
def test_files_are_opened_at_the_doors_only(file: Path) -> None:
    assert faults(_place(file), file.read_text(encoding="utf-8")) == []


def test_what_a_file_names_is_built_at_the_door_only() -> None:
    """Rooms that read run folders, checkpoints and bundles do not know the builder of commands'
    configs.
    """
    for file in SOURCES:
        if imports_of_build(file.read_text(encoding="utf-8")):
            assert _place(file).startswith(tuple(BUILDERS)), file
    predictor = CHECKOUT / "hespotex" / "prediction" / "predictor.py"
    assert imports_of_build(predictor.read_text()) == ["build"]


WRONG = [
    "torch.load(p)",
    "x = np.load(p)",
    "import h5py\nwith h5py.File(p) as f: pass",
    "hydra.utils.instantiate(c)",
    "instantiate(c)",
    "pd.read_pickle(p)",
    "eval('1')",
    "anndata.read_h5ad(p)",
    "np.memmap(p, allow_pickle=True)",
    "trainer.fit(m, weights_only=False)",
    "importlib.import_module(n)",
    "torch.hub.load(r, m)",
]


@pytest.mark.parametrize("source", WRONG)
def test_the_test_sees(source: str) -> None:
    assert len(faults("sections/new.py", source)) == 1


def test_the_test_lets_pass() -> None:
    fine = (
        "re.compile(p)\nmodule.eval()\ntorch.compile(n)\nload_array(p)\nopen_hdf5(p)\n"
        "json.load(f)\nyaml.safe_load(f)"
    )
    assert faults("sections/new.py", fine) == []
    assert imports_of_build("from hespotex.records.build import Config, build") == ["build"]
