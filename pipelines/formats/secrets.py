"""Secrets in log text, replaced before anything is stored.

A secret becomes `hmac:` and 32 hex digits of HMAC-SHA256 under the lake's own key, so that two records
that hold the same secret can still be joined, and nobody can use it. Names of credentials (access key
ids, token ids) are no secrets and stay.
"""

from __future__ import annotations

import hmac
import json
import os
import re
import secrets
from bisect import bisect_left
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import unquote_to_bytes

import polars as pl

from pipelines.formats.format import Secret
from pipelines.formats.text import Strings, replaced

KEY_BYTES = 32


@dataclass(frozen=True)
class General:
    """A secret that any log may hold, looked for only in rows that hold one of the literal `hints`.

    `spans`: it may reach over a space. In a log whose fields are told apart by spaces a caller could
    hide the next field that way (a URL that ends in `/bearer` hides the user), so there it is left out.
    """

    hints: tuple[str, ...]
    secret: Secret
    spans: bool = False


def _cases(*names: str) -> tuple[str, ...]:
    """Names as given, and in lower, upper and title case."""
    return tuple(sorted({each for name in names for each in (name, name.lower(), name.upper(), name.title())}))


def _any(names: Sequence[str]) -> str:
    return "|".join(map(re.escape, names))


_PARAMETERS = (
    "access_token", "refresh_token", "id_token", "session_token",
    "sessionToken", "auth_token", "x_token", "jwt", "token", "subject_token", "actor_token", "sig", "signature",
    "X-Amz-Signature", "X-Amz-Security-Token", "X-Goog-Signature", "code", "client_secret", "secret",
    "client_assertion", "assertion", "SAMLResponse", "SharedAccessSignature", "SharedAccessKey", "AccountKey",
    "api_key", "api-key", "apikey", "key", "password", "passwd", "pwd", "pass", "passphrase", "passcode",
    "auth", "authorization", "auth_key", "authkey", "private_token", "ticket", "otp",
    "session", "session_id", "sessionid", "jsessionid", "phpsessid", "sid",
)  # fmt: skip
"""Parameters of queries and form bodies whose values are secrets, in any letter case."""

_PARAMETER_ENDS = (
    "token", "jwt", "sig", "signature", "code", "secret", "assertion", "SAMLResponse", "key", "Key",
    "password", "passwd", "pwd", "pass", "passphrase", "passcode", "auth", "authorization", "ticket",
    "otp", "session", "session_id", "sessionid", "sid",
)  # fmt: skip

_MEMBERS = (
    "secretAccessKey", "sessionToken", "aws_secret_access_key", "aws_session_token", "access_token", "accessToken",
    "refresh_token", "refreshToken", "id_token", "idToken", "client_secret", "clientSecret", "password", "passwd",
    "private_key", "privateKey", "x-api-key", "cookie", "set-cookie",
)  # fmt: skip
"""Members of JSON objects whose strings are secrets, in any letter case, in JSON within JSON too."""

_ESCAPED_LETTER = r"\\u00(?:[46][1-9A-Fa-f]|[57][0-9Aa])"
"""A letter as a JSON escape: no writer escapes those, but a name of a secret could be hidden so."""

_TOKEN = r"[A-Za-z0-9._~+/-]{16,}=*|[A-Za-z._~+/-]*[0-9][A-Za-z0-9._~+/-]*=*|[A-Za-z0-9._~+/-]+="
"""What follows an authentication scheme: long, or with a digit or `=`, so that "Bearer required" is none."""

GENERAL: tuple[General, ...] = (
    General(
        ("PRIVATE KEY-----",),
        Secret(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----((?:[^-]|-[^-])+)-----END"),
        spans=True,
    ),
    General(("eyJ",), Secret(r"\b(eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*){1,3})")),
    General(("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), Secret(r"\b(gh[pousr]_[A-Za-z0-9]{20,})")),
    General(("github_pat_",), Secret(r"\b(github_pat_[A-Za-z0-9_]{20,})")),
    General(("glpat-",), Secret(r"\b(glpat-[A-Za-z0-9_-]{20,})")),
    General(("xox", "xapp-"), Secret(r"\b((?:xox[a-z]|xapp)-[A-Za-z0-9-]{10,})")),
    General(("sk-",), Secret(r"\b(sk-[A-Za-z0-9_-]{20,})")),
    General(("hvs.", "hvb.", "hvr."), Secret(r"\b(hv[sbr]\.[A-Za-z0-9_-]{20,})")),
    General(("AIza",), Secret(r"\b(AIza[A-Za-z0-9_-]{35})")),
    General(("earer", "EARER"), Secret(rf"(?i)(?:\b|%20|%3A)bearer(?:[ +]|%20)+({_TOKEN})"), spans=True),
    General(("asic", "ASIC"), Secret(rf"(?i)(?:\b|%20|%3A)basic(?:[ +]|%20)+({_TOKEN})"), spans=True),
    General(("SSWS",), Secret(r"\bSSWS +([A-Za-z0-9_-]{20,})"), spans=True),
    General(
        ("uthorization", "UTHORIZATION"),
        Secret(
            r"""(?i)authorization\\*["']?\s*[:=]\s*\\*["']?(?:token |apikey )?"""
            r"""([A-Za-z0-9._~+/-]{16,}=*)(?:["'\\,;]|$)"""
        ),
        spans=True,
    ),
    General(("://",), Secret(r"""://[^\s"'\\/@:?#<>]*:([^\s"'\\/@?#<>]+)@""")),
    General(("://",), Secret(r"""://([A-Za-z0-9._~%+=-]{16,})@""")),
    General(
        tuple(f"{name}{equals}" for name in _cases(*_PARAMETER_ENDS) for equals in ("=", "%3D")),
        Secret(rf"""(?i)(?:^|[?&;\s"'(,]|u0026|%26|%3F)(?:{_any(_PARAMETERS)})(?:=|%3D)([^\s"'\\&;,<>#|\]}})]+)"""),
    ),
    General(
        _cases(*_MEMBERS), Secret(rf"""(?i)"(?:{_any(_MEMBERS)})"\s*:\s*"((?:[^"\\]|\\.)+)(?:"|\\?$)"""), spans=True
    ),
    General(
        tuple(rf"\u00{digit}" for digit in "4567"),
        Secret(rf"""(?i)"(?:[^"\\]|\\.)*{_ESCAPED_LETTER}(?:[^"\\]|\\.)*"\s*:\s*"((?:[^"\\]|\\.)+)(?:"|\\?$)"""),
        spans=True,
    ),
    General(_cases(*_MEMBERS), Secret(rf"""(?i)\\+"(?:{_any(_MEMBERS)})\\+"\s*:\s*\\+"([^"\\]+)"""), spans=True),
)

_ALL_HINTS = sorted({hint for general in GENERAL for hint in general.hints})
_HINTS = [_any(_ALL_HINTS[at : at + 60]) for at in range(0, len(_ALL_HINTS), 60)]
"""Searches for any hint, none for more than the 64 or so literals that are found with vector instructions."""
_DONE = re.compile(r"hmac:[0-9a-f]{32}")
_TORN_ESCAPE = re.compile(r"(?<!\\)(?:\\\\)*(\\(?:u[0-9a-fA-F]{0,3})?)\Z")
_QUOTE = re.compile(r'(?:[^"\\]++|\\.)*+"', re.DOTALL)
_PASSES = 4
"""A replacement may bring another secret's pattern to light; passes end at the first that changes nothing."""

_NONCE = secrets.token_hex(8)
_OPEN, _MIDDLE, _CLOSE = (f"\0{name}{_NONCE}\0" for name in "omc")
_MARKED_DONE = rf"{_OPEN}([^\x00]*){_MIDDLE}hmac:[0-9a-f]{{32}}{_CLOSE}"
"""Marks around a match and its group. Logs cannot hold them: they are made anew in each process."""


def redact(raw: Strings, key: bytes, patterns: Sequence[Secret], *, spaced: bool = False) -> Strings:
    """`raw` with every match of `patterns` and of GENERAL replaced: its first group, by its HMAC under `key`.

    Only rows that a vectorised search finds are rewritten. Rust's regular expressions do the searching,
    in time linear in the text. JSON stays valid JSON, equal secrets become equal texts, and redacting
    once more changes nothing. `spaced` says that fields are told apart by spaces (see `General`). Where
    the group's text stands several times within a match, the last is meant. A record of JSON among such lines is told
    by its beginning, which is the log's own.
    """
    if spaced and (objects := pl.Series(raw).str.starts_with("{").fill_null(value=False)).any():
        for rows, by_spaces in ((objects, False), (~objects, True)):
            chosen = raw.filter(rows.to_arrow())
            raw = replaced(raw, rows, pl.Series(redact(chosen, key, patterns, spaced=by_spaces), dtype=pl.String))
        return raw
    search = _search(tuple(pattern.pattern for pattern in patterns), spaced)
    texts = pl.Series(raw)
    rows = pl.repeat(value=False, n=len(texts), eager=True)
    for hint in [*_HINTS, *search.own]:
        rows |= texts.str.contains(hint).fill_null(value=False)
    if not rows.any():
        return raw
    suspects = texts.filter(rows)
    redacted = suspects.clone()
    numbers = pl.arange(len(suspects), eager=True)
    for passed in range(_PASSES):
        before = redacted.gather(numbers)
        marked = before.str.replace_all(search.whole, search.marks)
        found = before != (_without_done(marked) if passed else marked)
        if not found.any():
            break
        after = pl.Series([_written(text, key) for text in marked.filter(found).to_list()], dtype=pl.String)
        changed = before.filter(found) != after
        numbers = numbers.filter(found).filter(changed)
        redacted = redacted.scatter(numbers, after.filter(changed))
    changed = suspects != redacted
    return replaced(raw, rows.scatter(rows.arg_true(), changed), redacted.filter(changed)) if changed.any() else raw


def _without_done(marked: pl.Series) -> pl.Series:
    """The marks around what is replaced already taken away: most texts of a second pass hold no others."""
    return marked.str.replace_all(_MARKED_DONE, "$1")


@dataclass(frozen=True)
class _Search:
    """All patterns as one: `own` are those of the format, `marks` is what a match of `whole` becomes."""

    own: tuple[str, ...]
    whole: str
    marks: str


@cache
def _search(patterns: tuple[str, ...], spaced: bool) -> _Search:
    every = [*patterns, *(general.secret.pattern for general in GENERAL if not (spaced and general.spans))]
    groups, firsts = 1, []
    for pattern in every:
        firsts.append(f"${{{groups}}}")
        groups += re.compile(pattern).groups
    whole = "|".join(f"(?:{pattern})" for pattern in every)
    marks = f"{_OPEN}${{0}}{_MIDDLE}{''.join(firsts)}{_CLOSE}"
    return _Search(tuple(map(_ascii_words, patterns)), _ascii_words(whole), marks)


def _ascii_words(pattern: str) -> str:
    """The pattern with RE2's word boundaries, which are of ASCII; Rust's are of Unicode, and slow."""
    return re.sub(r"\\(.)", lambda escape: r"(?-u:\b)" if escape[1] == "b" else escape[0], pattern, flags=re.DOTALL)


def _written(marked: str, key: bytes) -> str:
    """A text whose matches are marked, with the secrets in them replaced; what is replaced already stays."""
    begin, *matches = marked.split(_OPEN)
    parts = [(whole, *rest.split(_CLOSE)) for whole, rest in (match.split(_MIDDLE) for match in matches)]
    before = begin + "".join(whole + after for whole, _, after in parts)
    done = [found.span() for found in _DONE.finditer(before)] if "hmac:" in before else []
    json_text = begin.startswith(("{", "["))
    written, position = [begin], len(begin)
    for whole, secret, after in parts:
        start = position + whole.rfind(secret)
        if not secret or _overlaps(done, start, start + len(secret)):
            written.append(whole)
        else:
            ahead = before[max(0, start - 64) : start]
            written.append(_replacement(ahead, whole, secret, json_text, key))
        written.append(after)
        position += len(whole) + len(after)
    return "".join(written)


def _overlaps(spans: list[tuple[int, int]], start: int, end: int) -> bool:
    at = bisect_left(spans, (end,))
    return at > 0 and spans[at - 1][1] > start


def _replacement(ahead: str, whole: str, secret: str, json_text: bool, key: bytes) -> str:
    """A match with its secret replaced, whole escapes only and never across the end of a JSON string."""
    start = whole.rfind(secret)
    if "\\" in ahead[-6:] and (torn := _TORN_ESCAPE.search(ahead)):
        begun = torn[1] + secret[:1] if torn[1] == "\\" else torn[1]
        missing = (6 if begun.startswith("\\u") else 2) - len(torn[1])
        secret, start = secret[missing:], start + missing
    if json_text and '"' in secret and (quote := _QUOTE.match(secret)):
        secret = secret[: quote.end() - 1]
    if "\\" in secret[-6:] and (torn := _TORN_ESCAPE.search(secret)):
        secret = secret[: torn.start(1)]
    return whole[:start] + mark(secret, key) + whole[start + len(secret) :] if secret else whole


def mark(secret: str, key: bytes) -> str:
    """`hmac:` and 32 hex digits. The escapes of JSON and of URLs are undone first, so that spellings do not matter."""
    if "\\" in secret:
        with suppress(ValueError):
            secret = str(json.loads(f'"{secret}"', strict=False))
    plain = secret.encode(errors="surrogatepass")
    plain = unquote_to_bytes(plain) if b"%" in plain else plain
    return "hmac:" + hmac.digest(key, plain, "sha256").hex()[:32]


def lake_key(path: Path) -> bytes:
    """The lake's own key of 32 bytes; made, for its owner alone, where there is none yet.

    Two processes that start at once end up with the same key. A key of another size, or one that others
    may read, is a ValueError that says what to do.
    """
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(secrets.token_bytes(KEY_BYTES))
                file.flush()
                os.fsync(file.fileno())
            with suppress(FileExistsError):
                os.link(draft, path)
        finally:
            draft.unlink()
    if path.stat().st_mode & 0o077:
        raise ValueError(f"{path}: others may read the lake's key; chmod 600 it")
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise ValueError(f"{path}: the lake's key has {len(key)} bytes, not {KEY_BYTES}; restore it from a backup")
    return key
