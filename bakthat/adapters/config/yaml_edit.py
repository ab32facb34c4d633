"""Changes values in the text of a YAML file and leaves everything else as it was written: comments, order, quotes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml


def edited(text: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> str | None:
    """The text of a mapping with the value `old`, changed to the value `new`. Only the lines of keys that differ are
    changed. None if that cannot be done safely (anchors, keys that share a line). The caller must check the result by
    parsing it."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        edits: list[_Edit] = []
        if root is None:
            edits.append((len(text), len(text), _lines(new, 0)))
        else:
            _edit_mapping(text, root, old, new, edits)
    except (_CannotEditError, yaml.YAMLError):
        return None
    for start, end, replacement in sorted(edits, reverse=True):
        before = text[:start]
        # Lines added after a last line without a newline.
        apart = "\n" if start == end and replacement.endswith("\n") and before and not before.endswith("\n") else ""
        text = before + apart + replacement + text[end:]
    return text


def flow(value: Any) -> str:
    """The value on one line, quoted if necessary."""
    # In a list, because a bare scalar is dumped with an end-of-document mark.
    dumped = yaml.safe_dump([value], default_flow_style=True, sort_keys=False, allow_unicode=True, width=2**31)
    return dumped.strip()[1:-1]


def block(value: Mapping[str, Any]) -> str:
    """The mapping as lines, in its own order."""
    return yaml.safe_dump(dict(value), default_flow_style=False, sort_keys=False, allow_unicode=True, width=2**31)


_Edit = tuple[int, int, str]
"""Start, end, and the replacement of the text between them. Added lines end with a newline."""


class _CannotEditError(Exception):
    """The text has a form that cannot be edited safely."""


def _edit_mapping(
    text: str, node: yaml.Node, old: Mapping[str, Any], new: Mapping[str, Any], edits: list[_Edit]
) -> None:
    if not isinstance(node, yaml.MappingNode) or node.flow_style or not node.value:
        raise _CannotEditError
    for key_node, value_node in node.value:
        key = key_node.value
        # An alias is composed as the node that it refers to, which is before it. `<<` is not a setting.
        if key not in old or value_node.start_mark.index < key_node.end_mark.index:
            raise _CannotEditError
        if key not in new:
            edits.append(_removal(text, key_node, value_node))
        elif not _same(old[key], new[key]):
            _edit_value(text, key_node, value_node, old[key], new[key], edits)
    added = {key: value for key, value in new.items() if key not in old}
    if added:
        after = _line_after(text, _end(text, node))
        edits.append((after, after, _lines(added, node.value[0][0].start_mark.column)))


def _edit_value(text: str, key: yaml.Node, node: yaml.Node, old: Any, new: Any, edits: list[_Edit]) -> None:
    start, end = node.start_mark.index, _end(text, node)
    column = node.start_mark.column
    if isinstance(old, Mapping) and isinstance(new, Mapping) and new and not _is_flow(node):
        _edit_mapping(text, node, old, new, edits)
    elif start == end and isinstance(new, Mapping) and new:  # `profile:` and nothing after it
        after = _line_after(text, end)
        edits.append((after, after, _lines(new, key.start_mark.column + 2)))
    elif isinstance(node, yaml.SequenceNode) and not node.flow_style and isinstance(new, list) and new:
        edits.append((start, end, f"\n{' ' * column}".join(f"- {flow(item)}" for item in new)))
    elif isinstance(node, yaml.ScalarNode) or _is_flow(node):
        newline = "\n" if text[start:end].endswith("\n") else ""
        edits.append((start, end, (" " if start == end else "") + flow(new) + newline))
    else:
        # A block of lines becomes a value on one line, which must be indented more than its key.
        edits.append((start, end, " " * (key.start_mark.column + 1 - column) + flow(new)))


def _is_flow(node: yaml.Node) -> bool:
    return isinstance(node, yaml.CollectionNode) and bool(node.flow_style)


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)  # True is not 1 here


def _lines(values: Mapping[str, Any], indent: int) -> str:
    return "".join(f"{' ' * indent}{line}" for line in block(values).splitlines(keepends=True))


def _end(text: str, node: yaml.Node) -> int:
    """The end of the last value in the node. A block's own end mark is after the comments that follow it."""
    while isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        node = last[1] if isinstance(last, tuple) else last
    end = int(node.end_mark.index)
    if isinstance(node, yaml.ScalarNode) and node.style in {"|", ">"}:
        return len(text[:end].rstrip(" "))  # the indentation of the next line belongs to that line
    return end


def _line_after(text: str, position: int) -> int:
    """The start of the line after this position; of this line, if the position is there (after a block of text)."""
    if position and text[position - 1] == "\n":
        return position
    newline = text.find("\n", position)
    return len(text) if newline < 0 else newline + 1


def _removal(text: str, key: yaml.Node, value: yaml.Node) -> _Edit:
    start = text.rfind("\n", 0, key.start_mark.index) + 1
    end = _line_after(text, _end(text, value))
    if text[start : key.start_mark.index].strip():
        raise _CannotEditError
    return start, end, ""
