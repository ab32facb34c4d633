"""The configuration of the site's generator, Sphinx."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))  # this checkout, whatever is installed

from pygments.lexers import get_lexer_by_name
from pygments.lexers.special import TextLexer
from pygments.util import ClassNotFound

import bakthat
from bakthat.domain.environment_settings import VARIABLES
from docs.site.docstrings import as_rst

project = "bakthat"
author = "the authors of bakthat"
release = bakthat.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
root_doc = "index"
nitpicky = False
html_theme = "furo"
html_title = f"bakthat {release}"
html_static_path = [str(Path(__file__).parent / "static")]
html_css_files = ["bakthat.css"]
html_copy_source = False
smartquotes_action = "D"  # dashes, as Sphinx writes them before the meaning of a parameter
html_show_sphinx = False
html_show_copyright = False
html_theme_options = {"top_of_page_buttons": [], "navigation_with_keys": True}
pygments_style = "default"
pygments_dark_style = "github-dark"

myst_heading_anchors = 4
myst_enable_extensions = ["attrs_block"]

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
autodoc_use_type_comments = False
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_use_param = True
add_module_names = False
toc_object_entries = False


def setup(app: Any) -> None:
    """Have docstrings converted before napoleon sees their sections."""
    app.connect("autodoc-process-docstring", _convert, priority=100)
    for language in _languages():
        try:
            get_lexer_by_name(language)
        except ClassNotFound:  # such as `cron`
            app.add_lexer(language, TextLexer)


def _languages() -> set[str]:
    """The languages of all blocks of code."""
    pages = Path(__file__).parents[1].rglob("*.md")
    return {language for page in pages for language in re.findall(r"^```(\w+)$", page.read_text(), re.MULTILINE)}


def _convert(_app: Any, _what: str, _name: str, object_: Any, _options: Any, lines: list[str]) -> None:
    lines[:] = as_rst(lines)
    if object_ is bakthat.Profile:
        lines += [
            "",
            "Where a profile is opened by its name, these variables of the environment stand before its keys:",
        ]
        lines += ["", *(f"- ``{variable}``: ``{key}``" for variable, key in VARIABLES.items()), ""]
