"""An Ed25519 public key as one of X25519: the same curve in another form (RFC 7748, section 4.1).

Only public values: the time that this takes depends on them.
"""

from __future__ import annotations

_P = 2**255 - 19
_D = -121665 * pow(121666, -1, _P) % _P
"""The curve's constant (RFC 8032, section 5.1)."""


def montgomery_u(public_key: bytes) -> bytes:
    """Return the u coordinate, as X25519 has it, of an Ed25519 public key of 32 bytes.

    Raises:
        ValueError: The bytes are not a point of the curve.
    """
    y = (int.from_bytes(public_key, "little") & ((1 << 255) - 1)) % _P
    # x² = (y² - 1) / (d y² + 1): without a root there is no such point.
    x_squared = (y * y - 1) * pow(_D * y * y + 1, _P - 2, _P) % _P
    if pow(x_squared, (_P - 1) // 2, _P) not in (0, 1):
        raise ValueError("it is not a point of the curve")
    u = (1 + y) * pow(1 - y, _P - 2, _P) % _P
    return u.to_bytes(32, "little")
