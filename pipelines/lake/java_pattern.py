"""Regular expressions as DuckDB's RE2 reads them, written so that Java's engine (Spark's) reads the same.

https://github.com/google/re2/wiki/Syntax and Java's `java.util.regex.Pattern`, as of Java 17.
"""

from __future__ import annotations

import re

PREFIX = "(?d)"
"""UNIX_LINES: `.` is anything but a line feed, as in RE2; to Java there are five line ends."""

FOLDED = "(?diu)"
"""RE2 folds the case of all of Unicode, Java only of ASCII unless told."""

_SPACES = r"\t\n\f\r "
"""RE2's `\\s`; Java's has the vertical tab too."""


class NotJava(ValueError):
    """An expression that Java cannot be made to read alike; the text says why."""


def java_pattern(pattern: str, *, folded: bool = False) -> str:
    """The same expression for Java. Raises NotJava."""
    written, at = [FOLDED if folded else PREFIX], 0
    while at < len(pattern):
        piece, at = _next(pattern, at)
        written.append(piece)
    return "".join(written)


def _next(pattern: str, at: int) -> tuple[str, int]:
    """What stands at a place outside brackets, and where it ends."""
    sign = pattern[at]
    if sign == "\\":
        return _quotation(pattern, at) if pattern.startswith("\\Q", at) else _escaped(pattern, at, inside=False)
    if sign == "[":
        return _brackets(pattern, at)
    if sign == "(":
        return _opening(pattern, at)
    if sign == "{" and not re.match(r"\{\d+(,\d*)?\}", pattern[at:]):
        return r"\{", at + 1
    # Java's `$` also matches before a line feed at the end.
    return (r"\z" if sign == "$" else sign), at + 1


def _quotation(pattern: str, at: int) -> tuple[str, int]:
    end = pattern.find("\\E", at)
    end = len(pattern) if end < 0 else end + 2
    return pattern[at:end], end


def _opening(pattern: str, at: int) -> tuple[str, int]:
    if pattern.startswith("(?P<", at):
        return "(?<", at + 4
    flags = re.match(r"\(\?([a-zA-Z-]+)[:)]", pattern[at:])
    if flags and set(flags[1]) - set("is-"):
        msg = f"the flags {flags[0]} mean something else to Java"
        raise NotJava(msg)
    if flags and "i" in flags[1].split("-")[0]:
        return flags[0].replace("i", "iu", 1), at + len(flags[0])
    return "(", at + 1


def _escaped(pattern: str, at: int, *, inside: bool) -> tuple[str, int]:
    sign = pattern[at + 1 : at + 2]
    if sign == "s":
        return (_SPACES if inside else f"[{_SPACES}]"), at + 2
    if sign == "S" and not inside:
        return f"[^{_SPACES}]", at + 2
    if sign in {"p", "P", "C", "v", "S", "b", "B"} and not (sign in {"b", "B"} and not inside):
        msg = f"\\{sign} means something else to Java"
        raise NotJava(msg)
    return pattern[at : at + 2], at + 2


def _brackets(pattern: str, at: int) -> tuple[str, int]:
    """A class of characters: to Java `[` and `&&` mean something within, and a `]` may not come first."""
    start = at + 2 if pattern.startswith("[^", at) else at + 1
    written, at = [pattern[at:start]], start
    while at < len(pattern):
        sign = pattern[at]
        if sign == "]" and at > start:
            return "".join([*written, "]"]), at + 1
        if pattern.startswith("[:", at):
            msg = "a class like [:alpha:] means something else to Java"
            raise NotJava(msg)
        if sign == "\\":
            piece, at = _escaped(pattern, at, inside=True)
        else:
            piece, at = (f"\\{sign}" if sign in "[]&" else sign), at + 1
        written.append(piece)
    msg = "a bracket is not closed"
    raise NotJava(msg)


def java_replacement(text: str) -> str:
    """What is put in: RE2 writes a group as `\\1`, Java as `$1`."""
    return re.sub(r"\\(\d)|\\\\|\$", lambda m: f"${m[1]}" if m[1] else ("\\\\" if m[0] != "$" else "\\$"), text)
