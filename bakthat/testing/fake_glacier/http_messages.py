"""Requests and answers of the service, and its errors."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from attrs import define, field, frozen

PAGE = 50
"""Jobs, uploads and parts of one answer, at most."""


class ServiceError(Exception):
    """An error of the service."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


@frozen
class Answer:
    status: int
    headers: dict[str, str] = field(factory=dict)
    body: bytes = b""
    file: tuple[Path, int, int] | None = None
    """Instead of `body`: a file, the position of the first byte, and how many bytes."""


@define
class Request:
    """One request, read to its end."""

    headers: Any
    query: dict[str, str]
    vault_name: str
    item: str
    body: bytes = b""

    def header(self, name: str) -> str:
        value = self.headers.get(name)
        if not value:
            raise missing(name)
        return str(value)

    def description(self) -> str:
        text = str(self.headers.get("x-amz-archive-description") or "")
        if len(text) > 1024 or any(not " " <= char <= "~" for char in text):
            raise invalid("Invalid archive description: at most 1024 characters from 0x20 to 0x7E")
        return text

    def check_hashes(self, tree_hash: str) -> None:
        if self.header("x-amz-sha256-tree-hash") != tree_hash:
            raise invalid(f"Checksum mismatch: expected {self.header('x-amz-sha256-tree-hash')} but found {tree_hash}")
        if self.header("x-amz-content-sha256") != hashlib.sha256(self.body).hexdigest():
            raise invalid("Checksum mismatch: the SHA256 of the payload is not x-amz-content-sha256")

    def page(self, name: str, entries: list[dict[str, Any]], **more: Any) -> Answer:
        limit = min(int(self.query.get("limit", PAGE)), PAGE)
        start = int(self.query.get("marker", 0))
        following = str(start + limit) if start + limit < len(entries) else None
        return json_answer({**more, name: entries[start : start + limit], "Marker": following})


def json_answer(content: dict[str, Any]) -> Answer:
    return Answer(200, {"Content-Type": "application/json"}, json.dumps(content).encode())


def missing(name: str) -> ServiceError:
    return ServiceError(400, "MissingParameterValueException", f"Required parameter missing: {name}")


def invalid(message: str) -> ServiceError:
    return ServiceError(400, "InvalidParameterValueException", message)


def absent(message: str) -> ServiceError:
    return ServiceError(404, "ResourceNotFoundException", message)
