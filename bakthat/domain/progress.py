"""`Progress`: the progress of a verb."""

from __future__ import annotations

from attrs import frozen


@frozen(kw_only=True)
class Progress:
    """`done` of `total` (None: unknown) `unit`s of one `stage` (`storing`, `restoring`, `syncing` …). Each report
    replaces the previous one; `done` never decreases within a stage."""

    stage: str
    done: int
    total: int | None = None
    unit: str = "bytes"
