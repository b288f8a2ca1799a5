"""Text that others wrote, made fit to send, store and show."""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Iterable
from typing import Any

CUT = "..."
MAX_DEPTH = 12
_SURROGATE = re.compile("[\ud800-\udfff]")
_CREDENTIAL = re.compile(
    r"(?i)\b(authorization\W{1,4}(?:\w+\s+)?|bearer\s+|basic\s+|splunk\s+|(?:token|api[-_]?key|password|secret)\W{0,2}[:=]\W{0,2})"
    r"[^\s,;\"']+"
)
_KEY = re.compile(r"whs[ek]c?_[A-Za-z0-9+/=_-]+")


def json_width(character: str) -> int:
    """The bytes that a character takes in our JSON, which is ASCII and escapes `<`, `>` and `&` too."""
    if character in '"\\\b\f\n\r\t':
        return 2
    if " " <= character <= "~":
        return 6 if character in "<>&" else 1
    return 6 if character <= "\uffff" else 12


def bounded(value: str, limit: int) -> str:
    """`value` without lone surrogates, cut (and ending in `...`) so that it takes at most `limit` bytes of JSON."""
    value = _SURROGATE.sub("\ufffd", value)
    if len(json.dumps(value)) - 2 + 5 * sum(map(value.count, "<>&")) <= limit:
        return value
    kept, spent = 0, 0
    for position, character in enumerate(value):
        spent += json_width(character)
        if spent > limit:
            return value[:kept] + CUT
        if spent <= limit - len(CUT):
            kept = position + 1
    return value


def plain(value: Any, depth: int = MAX_DEPTH) -> Any:
    """A parsed JSON value that every JSON parser takes: no lone surrogate, no NaN, no huge number, not too deep."""
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {plain(str(k)): plain(v, depth - 1) for k, v in value.items()} if depth else CUT
    if isinstance(value, list):
        return [plain(each, depth - 1) for each in value] if depth else CUT
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return str(value)
    return value


def cleaned(text: str, limit: int = 200, secrets: Iterable[str] = ()) -> str:
    """One short printable line: no control or format character, none of `secrets`, nothing like a credential."""
    printable = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in text[: 20 * limit])
    for secret in secrets:
        printable = printable.replace(secret, "[secret]")
    printable = _KEY.sub("[secret]", _CREDENTIAL.sub(r"\1[secret]", printable))
    line = " ".join(printable.split())
    return line if len(line) <= limit else line[: limit - len(CUT)] + CUT
