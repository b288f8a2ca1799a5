"""What a finding of behaviour lists as its evidence."""

from __future__ import annotations

from datetime import datetime

import polars as pl

from detectors.behaviour import _evidence


def _acts(*secret_read: bool) -> pl.DataFrame:
    count = len(secret_read)
    return pl.DataFrame(
        {
            "action_uid": [f"a{index}" for index in range(count)],
            "time": [datetime(2026, 3, 2, 9, index) for index in range(count)],
            "bytes_out": pl.Series([None] * count, dtype=pl.Int64),
            "secret_read": list(secret_read),
            "acts": [True] * count,
        }
    )


def test_actions_that_carry_a_named_feature_are_the_evidence() -> None:
    assert _evidence(_acts(False, True), ["secret_reads"])["action_uid"].to_list() == ["a1"]


def test_an_hour_that_is_unusual_for_what_it_lacks_still_has_evidence() -> None:
    """One lone request, where the worker always reads a secret: no action carries the feature."""
    assert _evidence(_acts(False, False), ["secret_reads"])["action_uid"].to_list() == ["a0", "a1"]
