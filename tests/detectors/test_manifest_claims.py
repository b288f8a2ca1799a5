"""Whose an identity is, where manifests that declare it come, change and go."""

from __future__ import annotations

from datetime import datetime

import pytest

from detectors.manifest_claims import Told, claims
from detectors.manifest_tables import BEGINNING, END

MARCH, APRIL, MAY = datetime(2026, 3, 1), datetime(2026, 4, 1), datetime(2026, 5, 1)
X, Y = "aws:role/x", "aws:role/y"


def told(
    worker: str, *uids: str, at: datetime, since: datetime | None = None, first: bool = False, shared: bool = False
) -> Told:
    """A version that was recorded `at`; a later one is in force from then unless it says `since`."""
    return Told(worker, dict.fromkeys(uids, shared), since if since or first else at, at)


Row = tuple[str, str, datetime, datetime]
EXAMPLES: dict[str, tuple[list[Told], list[Row]]] = {
    "who declares it first has it from the beginning": (
        [told("a", X, at=MARCH, first=True)],
        [(X, "a", BEGINNING, END)],
    ),
    "also where an older version did not declare it": (
        [told("a", X, at=MARCH, first=True), told("a", X, Y, at=APRIL)],
        [(X, "a", BEGINNING, END), (Y, "a", BEGINNING, END)],
    ),
    "it passes from one to the other when a run first sees it": (
        [told("a", X, at=MARCH, first=True), told("b", Y, at=MARCH, first=True), told("a", at=APRIL), told("b", X, Y, at=APRIL)],
        [(X, "a", BEGINNING, APRIL), (X, "b", APRIL, END), (Y, "b", BEGINNING, END)],
    ),
    "in whatever order the two changes are recorded": (
        [told("a", X, at=MARCH, first=True), told("b", X, at=APRIL, first=True), told("a", at=APRIL)],
        [(X, "a", BEGINNING, APRIL), (X, "b", APRIL, END)],
    ),
    "or from when the new manifest says": (
        [told("a", X, at=MARCH, first=True), told("b", X, at=MAY, since=APRIL)],
        [(X, "a", BEGINNING, APRIL), (X, "b", APRIL, END)],
    ),
    "a new worker takes it when it is first seen, though its manifest counts from the beginning": (
        [told("a", X, at=MARCH, first=True), told("b", X, at=APRIL, first=True)],
        [(X, "a", BEGINNING, APRIL), (X, "b", APRIL, END)],
    ),
    "who drops it keeps it while nobody takes it": (
        [told("a", X, at=MARCH, first=True), told("a", at=APRIL)],
        [(X, "a", BEGINNING, END)],
    ),
    "it may come back": (
        [told("a", X, at=MARCH, first=True), told("b", X, at=APRIL, first=True), told("b", at=MAY), told("a", X, at=MAY)],
        [(X, "a", BEGINNING, APRIL), (X, "a", MAY, END), (X, "b", APRIL, MAY)],
    ),
    "workers that share it have it side by side": (
        [told("a", X, at=MARCH, first=True, shared=True), told("b", X, at=MARCH, first=True, shared=True)],
        [(X, "a", BEGINNING, END), (X, "b", BEGINNING, END)],
    ),
    "one that joins later shares it from then on": (
        [told("a", X, at=MARCH, first=True, shared=True), told("b", Y, at=MARCH, first=True),
         told("b", X, Y, at=APRIL, shared=True)],
        [(X, "a", BEGINNING, END), (X, "b", APRIL, END), (Y, "b", BEGINNING, END)],
    ),
    "one that leaves has it no more": (
        [told("a", X, at=MARCH, first=True, shared=True), told("b", X, at=MARCH, first=True, shared=True),
         told("a", at=APRIL)],
        [(X, "a", BEGINNING, APRIL), (X, "b", BEGINNING, END)],
    ),
    "a pattern gives way to a name that it covers": (
        [told("a", "aws:role/*", at=MARCH, first=True), told("a", "aws:role/a*", at=APRIL), told("b", X, at=APRIL, first=True)],
        [("aws:role/*", "a", BEGINNING, APRIL), ("aws:role/a*", "a", BEGINNING, END), (X, "b", APRIL, END)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", EXAMPLES)
def test_claims(name: str) -> None:
    versions, expected = EXAMPLES[name]
    rows = claims(versions, BEGINNING, END).to_pylist()
    assert sorted((row["uid"], row["worker"], row["valid_from"], row["valid_to"]) for row in rows) == sorted(expected)
