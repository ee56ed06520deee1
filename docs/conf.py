"""Sphinx: `make docs` builds this folder into `outputs/docs`, with every warning an error. Nothing
is fetched.
"""

import re
import sys
from pathlib import Path
from typing import Any

# the generator, and the package of this checkout
sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

import generate
from sphinx.application import Sphinx

import hespotex

project = "HESpotEx"
author = "the HESpotEx authors"
release = hespotex.__version__
extensions = ["mathml", "myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["generated/tables"]  # included in other pages

myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3
suppress_warnings = ["myst.strikethrough"]

default_role = "code"  # our docstrings write `code` in single backticks
autodoc_inherit_docstrings = False
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
napoleon_use_rtype = False
add_module_names = False
toc_object_entries = False

html_math_renderer = "mathml"
html_theme = "furo"
html_title = f"HESpotEx {release}"
html_static_path = ["static"]
html_css_files = ["tables.css"]
html_show_sourcelink = False
html_show_sphinx = False
html_show_copyright = False


BAR = re.compile(r"(`[^`]*`)|\|")  # Sphinx takes |x| for a substitution, we mean a norm


def setup(app: Sphinx) -> None:
    """Write the pages that come from the code, then let Sphinx read them."""
    generate.write_all(Path(app.srcdir) / "generated")
    app.connect("autodoc-process-docstring", _keep_bars)


def _keep_bars(*arguments: Any) -> None:
    """The last argument is the docstring's lines, to be changed in place; code in backticks stays
    as it is.
    """
    lines: list[str] = arguments[-1]
    lines[:] = [BAR.sub(lambda match: match[1] or r"\|", line) for line in lines]
