"""Pieces of text in the page: escaped, and dates and sizes as people read them."""

from __future__ import annotations

import html
from datetime import UTC, datetime

from bakthat.domain.origin import Origin, shown


def escaped(text: object) -> str:
    """The text for HTML, also within an attribute. What is not printable is shown as an escape: a file name must not
    turn the direction of the text around it."""
    return html.escape(shown(str(text)))


def origin_words(origin: Origin) -> str:
    """`web1:/etc`, and for the output of commands `db1, a stream`; not escaped."""
    return f"{origin.host or 'no host'}, a stream" if origin.source == "-" else str(origin)


def moment(when: datetime) -> str:
    """`26 November 2026, 02:15 UTC`, with the date for programs."""
    utc = when.astimezone(UTC)
    return f'<time datetime="{utc:%Y-%m-%dT%H:%M:%SZ}">{utc.day} {utc:%B %Y, %H:%M} UTC</time>'


def day(when: datetime) -> str:
    """`26 November 2026`."""
    utc = when.astimezone(UTC)
    return f"{utc.day} {utc:%B %Y}"
