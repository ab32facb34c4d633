"""Reads YAML of unknown origin: only its own types, and errors that say where, without a word of the text."""

from __future__ import annotations

import re
from typing import Any

import yaml


def read_yaml(text: str) -> tuple[Any, str]:
    """Return the content of the text, and what is wrong with it ("" for nothing): where and why, without a word of the
    text."""
    try:
        return yaml.load(text, Loader=_Loader), ""  # noqa: S506 - it is a safe loader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        return None, f"{place}: {_problem(error)}"
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        place = f"line {before.count(chr(10)) + 1}, column {len(before) - before.rfind(chr(10))}"
        return None, f", {place}: a control character, which YAML does not allow"
    except RecursionError:
        return None, ": lists or mappings in it are nested too deep"


class _Loader(yaml.SafeLoader):
    """Loads YAML's own types and nothing else. A duplicate key is an error.

    Not based on libyaml's loader, which crashes the process on a file that is nested too deep.
    """

    def construct_mapping(self, node: yaml.Node, deep: bool = False) -> Any:
        seen: set[str] = set()
        for key_node, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if isinstance(key_node, yaml.ScalarNode) and not key_node.tag.endswith(":merge"):
                if key_node.value in seen:
                    raise yaml.constructor.ConstructorError(None, None, "duplicate key", key_node.start_mark)
                seen.add(key_node.value)
        return super().construct_mapping(node, deep=deep)  # type: ignore[arg-type]

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep=deep)
        except (ValueError, OverflowError):
            # Python's message would quote the value.
            problem = "this looks like a number or a date, but is neither; put it in quotes"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark) from None


# What Python 2's yaml.dump wrote for text.
for _tag in ("python/str", "python/unicode"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_tag}", yaml.SafeLoader.construct_yaml_str)  # type: ignore[type-var]


def _problem(error: yaml.MarkedYAMLError) -> str:
    """Return what is wrong, without the name of a tag, anchor or alias: it may be part of a secret that begins with
    one of `!&*`."""
    problem = re.sub(r"\b(tag|tag handle|anchor|alias) (['\"]).*\2", r"\1", error.problem or "this is not YAML")
    if r"'\t'" in problem:
        return f"{problem}; indent with spaces"
    if re.search(r"\b(tag|tag handle|anchor|alias)\b|cannot start any token|not allowed here", problem):
        return f"{problem}; put a value in quotes if it holds `: ` or begins with a sign such as ! & * @ %"
    return problem
