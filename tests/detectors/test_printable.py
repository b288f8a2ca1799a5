"""Text for terminals and titles: nothing is left that is obeyed and not seen."""

from __future__ import annotations

import sys
import unicodedata

import pytest

from detectors.findings import printable

OBEYED = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}


@pytest.mark.parametrize(
    "sign",
    ["\x1b", "\n", "\x9b", "\xad", "\u061c", "\u200b", "\u202e", "\u2060", "\u2064", "\u2066", "\u206a", "\u206f",
     "\ufeff", "\ufff9", "\ufffb", "\U000e0000", "\U000e0041", "\U000e007f", "\ud800", "\ue000"],
)  # fmt: skip
def test_signs_that_are_obeyed_are_replaced(sign: str) -> None:
    assert printable(f"a{sign}b") == "a\ufffdb"


def test_all_signs_of_their_categories_are() -> None:
    signs = "".join(sign for sign in map(chr, range(sys.maxunicode + 1)) if unicodedata.category(sign) in OBEYED)
    assert set(printable(signs)) == {"\ufffd"}


@pytest.mark.parametrize("text", ["Grüße, 世界, שלום", "👍🏽", "❤\ufe0f", "葛\U000e0100", "a b\xa0c"])
def test_what_is_read_stays(text: str) -> None:
    assert printable(text) == text
