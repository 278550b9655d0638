"""How Sphinx builds these pages; `make docs` does it, with warnings as errors."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

from s2d import __version__ as release  # noqa: E402

project = "s2d"
author = "the authors of s2d"
copyright = "the authors of s2d, MIT licence"
extensions = ["myst_parser", "sphinx.ext.autodoc", "docs_mathml", "docs_notebooks", "docs_docstrings", "docs_tables"]
exclude_patterns = ["_build"]
myst_enable_extensions = ["dollarmath", "colon_fence", "deflist"]
myst_heading_anchors = 3
html_math_renderer = "mathml"

html_theme = "furo"
html_title = f"s2d {release}"
html_static_path = ["_static"]
html_css_files = ["s2d.css"]
html_copy_source = False
html_show_sourcelink = False

autodoc_member_order = "bysource"
autodoc_default_options = {"members": True}
autodoc_preserve_defaults = True
autodoc_type_aliases = {name: name for name in ("Array", "Float32", "Floats", "Image", "Crop", "Mask", "Location")}
default_role = "code"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 100
nitpicky = False  # types of other projects have no pages here
