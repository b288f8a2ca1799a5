"""Amounts of bytes in words. The catalogue's SQL writes them alike."""

from __future__ import annotations

UNITS = ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "kB"))
"""As manifests count: powers of ten."""


def size(count: float) -> str:
    """Bytes with three digits of the largest unit that they fill: `2.98 GB`, `157 MB`, `5 MB`, `999 B`."""
    unit, name = next(((unit, name) for unit, name in UNITS if abs(count) >= unit), (1, "B"))
    amount = count / unit
    digits = 2 if abs(amount) < 10 else 1 if abs(amount) < 100 else 0
    text = f"{amount:,.{digits}f}"
    return f"{text.rstrip('0').rstrip('.') if digits else text} {name}"
