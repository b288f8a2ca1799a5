"""Shares and their intervals, against numbers worked out elsewhere."""

from __future__ import annotations

import pytest

from pipelines.evaluate.share import Share
from pipelines.evaluate.words import share


@pytest.mark.parametrize(
    ("count", "of", "low", "high"),
    [  # R: prop.test(count, of, correct = FALSE)$conf.int
        (8, 10, 0.4901625, 0.9433178),
        (1, 1, 0.2065493, 1.0),
        (0, 20, 0.0, 0.1611252),
        (95, 100, 0.8882495, 0.9784563),
    ],
)
def test_the_interval_is_wilsons(count: int, of: int, low: float, high: float) -> None:
    assert Share(count, of).interval == pytest.approx((low, high), abs=1e-6)


def test_without_a_base_there_is_no_share() -> None:
    assert Share(0, 0).plain == {"count": 0, "of": 0, "share": None, "low": None, "high": None}
    assert share(Share(0, 0)) == share(None) == "-"


def test_nearly_all_is_never_printed_as_all() -> None:
    assert share(Share(99_999, 100_000)).startswith("99.999 % (99,999 of 100,000;")
    assert share(Share(19_999_999, 20_000_000)).startswith("99.9999 % ")
    assert share(Share(9, 10)).startswith("90.0 % (9 of 10;")
