"""The patterns of a manifest: `*` is any text, `?` one character; anchored, case-sensitive."""

from __future__ import annotations


def like(glob: str) -> str:
    """The same pattern for SQL `LIKE ... ESCAPE '\\'`."""
    escaped = glob.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    while "**" in escaped:
        escaped = escaped.replace("**", "*")
    return escaped.replace("*", "%").replace("?", "_")


def is_pattern(glob: str) -> bool:
    """Whether it stands for more than one text."""
    return "*" in glob or "?" in glob


def covers(wide: str, narrow: str) -> bool:
    """Whether everything that `narrow` matches is matched by `wide`; false where that is not plain to see.

    `narrow` is read as text in which only a `*` of `wide` swallows a `*`, and only `*` or `?` a `?`.
    """
    reached = {0}
    for symbol in wide:
        if symbol == "*":
            reached = set(range(min(reached), len(narrow) + 1)) if reached else set()
        elif symbol == "?":
            reached = {at + 1 for at in reached if at < len(narrow) and narrow[at] != "*"}
        else:
            reached = {at + 1 for at in reached if at < len(narrow) and narrow[at] == symbol}
    return len(narrow) in reached


def overlaps(one: str, other: str) -> bool:
    """Whether some text is matched by both."""
    reached = {(0, 0)}
    seen: set[tuple[int, int]] = set()
    while reached:
        i, j = place = reached.pop()
        if place == (len(one), len(other)):
            return True
        if place in seen:
            continue
        seen.add(place)
        a, b = one[i : i + 1], other[j : j + 1]
        if a == "*":
            reached |= {(i + 1, j)} | ({(i, j + 1)} if b else set())
        if b == "*":
            reached |= {(i, j + 1)} | ({(i + 1, j)} if a else set())
        if a and b and a != "*" and b != "*" and (a == b or "?" in (a, b)):
            reached.add((i + 1, j + 1))
    return False
