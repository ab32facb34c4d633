"""Generates the reference of the Python library from its docstrings: `make docs`. A warning is an error."""

from __future__ import annotations

import re
import sys
import typing
import warnings
from pathlib import Path
from typing import Any

import pdoc
from jinja2 import pass_context

import bakthat
from bakthat.domain.archive_index import IndexEntry
from bakthat.domain.content_diff import Facts
from bakthat.usecases.choose_to_open import Chosen

MODULES = [
    "bakthat",
    "bakthat.domain",
    "bakthat.ports",
    "bakthat.usecases",
    "bakthat.adapters",
    "bakthat.testing",
    # Adapters that users do not build themselves are left out.
    "!bakthat.adapters.(?!memory|local_folder|streams)",
]

_PARAMETER = re.compile(r"^(`?\w+`?(?:, `?\w+`?)*): (?=\S)", re.MULTILINE)


def main(into: Path) -> None:
    warnings.simplefilter("error")
    for name in bakthat.__all__:
        # They are imported lazily, and pdoc documents only what is imported.
        setattr(bakthat, name, getattr(bakthat, name))
    for part in bakthat.Bakthat.__mro__[1:-1]:
        # The modules of its parts are not in the reference, so pdoc would leave their methods out.
        for name, member in vars(part).items():
            if not name.startswith("_"):
                setattr(bakthat.Bakthat, name, member)
    # pdoc does not resolve the annotations of a named tuple itself.
    for each in (IndexEntry, Facts):
        each.__new__.__annotations__.update(typing.get_type_hints(each))
    # Nor those of fields that a class of another module inherits.
    inherited = typing.get_type_hints(Chosen.__init__, vars(sys.modules[Chosen.__module__]))
    for request in Chosen.__subclasses__():
        request.__init__.__annotations__.update(inherited)
    to_markdown = pdoc.render.env.filters["to_markdown"]

    @pass_context
    def with_parameters(context: Any, docstring: str) -> str:
        """Turns lines that begin with a parameter's name into a list."""
        return str(to_markdown(context, _PARAMETER.sub(r"- **\1**: ", docstring)))

    pdoc.render.env.filters["to_markdown"] = with_parameters
    pdoc.render.configure(docformat="google", show_source=False, footer_text=f"bakthat {bakthat.__version__}")
    pdoc.pdoc(*MODULES, output_directory=into)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
