"""Which exit code an error has on the command line."""

from __future__ import annotations

from bakthat import errors

EXIT_CODES: list[tuple[type[BaseException], int]] = [
    (errors.ConfigError, 2),
    (errors.UsageError, 2),
    (errors.StoreError, 4),
    (errors.PayloadError, 5),
    (errors.RetrievalPending, 75),
    (errors.JobRunning, 75),
    (errors.BakthatError, 1),
]
"""The first matching class decides."""


def exit_code(error: BaseException) -> int:
    """The documented exit code of an error that was raised on purpose."""
    return next(code for kind, code in EXIT_CODES if isinstance(error, kind))
