import gzip
import io
import os
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.pull.decompress import Gunzip

DICE = random.Random(1)
TEXT = b"".join(b"line %d %d\n" % (number, DICE.getrandbits(64)) for number in range(20_000))
PACKED = gzip.compress(TEXT)


def expand(content: bytes, **more: int) -> tuple[bytes, str | None]:
    stream = Gunzip(io.BytesIO(content), **more)
    parts = []
    while part := stream.read(100_000):
        assert len(part) <= 100_000
        parts.append(part)
    return b"".join(parts), stream.problem


def test_members_follow_each_other_with_zeros_between() -> None:
    assert expand(PACKED) == (TEXT, None)
    assert expand(PACKED + gzip.compress(b"") + b"\0" * 600_000 + PACKED) == (TEXT + TEXT, None)


@settings(deadline=None, max_examples=50)
@given(st.integers(2, len(PACKED) - 1))
def test_cut_off_file_gives_what_is_there(cut: int) -> None:
    expanded, problem = expand(PACKED[:cut])
    assert TEXT.startswith(expanded)
    assert problem == f"gzip ends early after {len(expanded)} bytes"


def test_half_a_file_gives_about_half_of_the_text() -> None:
    assert len(expand(PACKED[: len(PACKED) // 2])[0]) > 0.4 * len(TEXT)


@pytest.mark.parametrize("before", [b"", PACKED])
def test_corrupt_file_gives_what_stands_before_the_fault(before: bytes) -> None:
    at = len(PACKED) // 2
    corrupt = PACKED[:at] + b"\xff" * 200 + PACKED[at + 200 :]
    expanded, problem = expand(before + corrupt)
    good = TEXT if before else b""
    assert expanded.startswith(good + TEXT[: len(TEXT) // 3])
    assert problem is not None
    assert problem.startswith("corrupt gzip: ")


def test_fault_far_into_a_large_file() -> None:
    content = os.urandom(3_000_000)
    packed = bytearray(gzip.compress(content, 1))
    packed[2_900_000:2_900_100] = b"\0" * 100
    expanded, problem = expand(bytes(packed))
    assert expanded[:2_800_000] == content[:2_800_000]
    assert problem is not None


def test_wrong_checksum_is_a_problem_and_the_text_is_kept() -> None:
    assert expand(PACKED[:-6] + b"\0\0" + PACKED[-4:]) == (TEXT, "corrupt gzip: Incorrect checksum found")


def test_something_behind_the_end_is_a_problem() -> None:
    assert expand(PACKED + b"plain text") == (TEXT, "corrupt gzip: something else follows its end")


def test_bomb_ends_at_the_bound() -> None:
    bomb = gzip.compress(b"\0" * 200_000_000, 9)
    expanded, problem = expand(bomb, max_expanded=1_000_000)
    assert len(expanded) == 1_000_000
    assert problem == "gzip expands beyond 1000000 bytes; the rest was not read"


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_no_input_makes_it_fail(noise: bytes) -> None:
    for content in (noise, b"\x1f\x8b" + noise, b"\x1f\x8b\x08\0" + noise, PACKED[:100] + noise):
        _, problem = expand(content)
        assert problem or not content.strip(b"\0") or len(content) < 2 or content.startswith(b"\x1f\x8b")
