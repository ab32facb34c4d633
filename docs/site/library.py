"""The pages about the library: which module is on which page. The text comes from the docstrings."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import bakthat

PACKAGES = {
    "bakthat.errors": "Errors",
    "bakthat.ports": "Ports",
    "bakthat.testing": "Support for tests",
    "bakthat.domain": "Values",
    "bakthat.adapters": "Stores and streams",
}
"""The packages that are public, beside `bakthat` itself."""

_ADAPTERS = re.compile(r"bakthat\.adapters\.(memory|local_folder|streams)")
"""Those that users build themselves."""

_FROM_THE_DOMAIN = re.compile(r"^from (bakthat\.domain\.\w+) import", re.MULTILINE)


def pages() -> Iterator[tuple[str, str]]:
    """The name and the text of each page below `api.md`."""
    for package in PACKAGES:
        yield f"{page_of(package)}.md", _package(package)


def page_of(package: str) -> str:
    """The name of a package's page, without its suffix."""
    return f"api-{package.removeprefix('bakthat.')}"


def sections() -> str:
    """What `api.md` has on the site: the functions, an opened profile, and the results."""
    values = [(name, getattr(bakthat, name)) for name in bakthat.__all__ if name != "errors"]
    functions = [name for name, value in values if inspect.isfunction(value)]
    results = [name for name, value in values if inspect.isclass(value) and name != "Bakthat"]
    opened = [
        ".. autofunction:: bakthat.open_profile",
        ".. autoclass:: bakthat.Bakthat\n   :members:\n   :inherited-members:\n   :exclude-members: __init__",
    ]
    others = [f".. autofunction:: bakthat.{name}" for name in functions if name != "open_profile"]
    of_results = [f".. autoclass:: bakthat.{name}\n   :members:" for name in results]
    parts = {"An opened profile": opened, "Functions": others, "Results and values": of_results}
    return "".join(f"\n## {heading}\n\n{_rst(directives)}" for heading, directives in parts.items())


def _package(name: str) -> str:
    parts = [f"# {PACKAGES[name]}\n"]
    for module in _modules(name):
        if _has_members(module):
            left_out = ", ".join([*bakthat.__all__, *_tests(module)])  # the former are on the page above
            directive = f".. automodule:: {module}\n   :members:\n   :exclude-members: {left_out}"
            parts += [f"## {module}\n", _rst([directive])]
    return "\n".join(parts)


def _modules(name: str) -> list[str]:
    package = importlib.import_module(name)
    if not hasattr(package, "__path__"):
        return [name]
    names = [found.name for found in pkgutil.walk_packages(package.__path__, f"{name}.")]
    if name == "bakthat.adapters":
        return [each for each in names if _ADAPTERS.match(each)]
    if name == "bakthat.domain":
        known = _in_public_use()
        return [each for each in names if each in known]
    return names


def _in_public_use() -> set[str]:
    """The modules of the domain whose values the ports and the support for tests take and give."""
    root = Path(bakthat.__file__).parent
    texts = [path.read_text() for folder in ("ports", "testing") for path in (root / folder).rglob("*.py")]
    return {module for text in texts for module in _FROM_THE_DOMAIN.findall(text)}


def _has_members(name: str) -> bool:
    """Whether the module has something public that is not a name of `bakthat` itself."""
    return any(
        getattr(value, "__module__", "") == name and key not in bakthat.__all__
        for key, value in vars(importlib.import_module(name)).items()
        if not key.startswith("_") and (inspect.isclass(value) or inspect.isfunction(value))
    )


def _tests(module: str) -> list[str]:
    """The tests of the contract suites in a module: hundreds, whose names say what they demand."""
    classes = [value for value in vars(importlib.import_module(module)).values() if inspect.isclass(value)]
    return sorted({name for each in classes for name in vars(each) if name.startswith("test_")})


def _rst(directives: list[str]) -> str:
    return "```{eval-rst}\n" + "\n\n".join(directives) + "\n```\n"
