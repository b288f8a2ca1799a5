import gzip
import hashlib
import itertools
import json
import os
import socket
import stat
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.formats.format import ACTIONS_OUT, GRANTS_OUT, Format, Options, Secret
from pipelines.formats.secrets import mark
from pipelines.formats.splitting import json_values, lines
from pipelines.pull.checkpoints import Checkpoints
from pipelines.pull.files import PulledObject, find, pull
from pipelines.pull.spool import read
from pipelines.settings import Source

NOW = datetime(2026, 3, 1, 12)
KEY = b"k" * 32


def log_format(split: Any) -> Format:
    return Format(
        name="sample",
        category="proxy",
        observes=frozenset(),
        id_scope="none",
        split=split,
        actions=lambda _records, _options: ACTIONS_OUT.empty_table(),
        grants=lambda _records, _options: GRANTS_OUT.empty_table(),
        secrets=(Secret(r"pin (\d+)"),),
    )


LINES = log_format(lambda stream, at_rest, _options: lines(stream, at_rest))
JSON = log_format(lambda stream, at_rest, _options: json_values(stream, at_rest, ("Records",)))


class Place:
    """A folder of logs and what is known of it: pulling once notes the checkpoints."""

    def __init__(
        self, folder: Path, split: Format = LINES, pattern: str = "*.log*", keep_secrets: bool = False
    ) -> None:
        self.folder = folder / "logs"
        self.folder.mkdir()
        self.spool = folder / "spool"
        self.source = Source("egress", split, "egress", pattern, self.folder, Options(), keep_secrets)
        self.known = Checkpoints()

    def write(self, name: str, content: bytes, age: float = 3600, append: bool = False) -> Path:
        path = self.folder / name
        with path.open("ab" if append else "wb") as file:
            file.write(content)
        when = (NOW - datetime(1970, 1, 1) - timedelta(seconds=age)).total_seconds()
        os.utime(path, (when, when))
        return path

    def pull(self, now: datetime = NOW, **more: Any) -> list[PulledObject]:
        objects = list(pull(self.source, self.known, self.spool, key=KEY, now=now, **more))
        self.known = Checkpoints([*self.known.values(), *(item.checkpoint for item in objects if item.checkpoint)])
        return objects


def table(objects: list[PulledObject]) -> pa.Table:
    return pa.concat_tables([read(item.spool_file) for item in objects if item.spool_file])


def texts(objects: list[PulledObject]) -> list[str]:
    return [text for item in objects if item.spool_file for text in read(item.spool_file)["raw"].to_pylist()]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


class TestFind:
    def test_matches_regular_files_below_the_base_sorted(self, tmp_path: Path) -> None:
        for name in ("b.log", "a.log", "deep/er/c.log", "a.txt", "[odd].log"):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text("x")
        assert [file.path.name for file in find("*.log", tmp_path)] == ["[odd].log", "a.log", "b.log"]
        assert [file.path.name for file in find("**/*.log", tmp_path)] == ["[odd].log", "a.log", "b.log", "c.log"]
        assert [file.path.name for file in find(str(tmp_path / "deep/**/*"), Path("/"))] == ["c.log"]
        assert find("none/*.log", tmp_path) == []
        assert find("*.log", tmp_path / "[no such") == []

    def test_pipes_sockets_and_folders_are_passed_over_and_links_followed_once(self, tmp_path: Path) -> None:
        (tmp_path / "real.log").write_text("x")
        (tmp_path / "a-link.log").symlink_to("real.log")
        (tmp_path / "dangling.log").symlink_to("nowhere")
        (tmp_path / "loop").symlink_to(".")
        (tmp_path / "folder.log").mkdir()
        os.mkfifo(tmp_path / "pipe.log")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(tmp_path / "socket.log"))
            assert [file.path.name for file in find("**/*.log", tmp_path)] == ["real.log"]

    def test_name_of_any_bytes_becomes_a_url(self, tmp_path: Path) -> None:
        name = os.fsencode(tmp_path) + b"/a \xff%\n\xc3\xa9.log"
        Path(os.fsdecode(name)).write_bytes(b"x\n")
        (found,) = find("*.log", tmp_path)
        assert found.object_uri == f"file://{tmp_path}/a%20%FF%25%0A%C3%A9.log"
        assert found.path.read_bytes() == b"x\n"


class TestPulledObject:
    def test_says_what_was_pulled(self, place: Place) -> None:
        content = b"first\npin 1234 \xff\n"
        path = place.write("a.log", content)
        (item,) = place.pull()
        assert (item.source, item.object_uri) == ("egress", path.as_uri())
        assert (item.byte_start, item.byte_end, item.bytes) == (0, len(content), len(content))
        assert item.object_sha256 == hashlib.sha256(content).hexdigest()
        assert (item.records, item.errors, item.held_back, item.error) == (2, 0, 0, None)
        assert table([item]).to_pylist() == [
            {"ordinal": 0, "raw": "first", "reason": None, "content_sha256": hashlib.sha256(b"first").hexdigest()},
            {
                "ordinal": 1,
                "raw": f"pin {mark('1234', KEY)} \ufffd",
                "reason": None,
                "content_sha256": hashlib.sha256(b"pin 1234 \xff").hexdigest(),
            },
        ]

    def test_spool_is_for_its_owner_alone(self, place: Place) -> None:
        place.write("a.log", b"x\n")
        (item,) = place.pull()
        assert item.spool_file is not None
        assert stat.S_IMODE(item.spool_file.stat().st_mode) == 0o600
        assert stat.S_IMODE(place.spool.stat().st_mode) == 0o700

    def test_secrets_are_kept_where_the_source_says_so(self, tmp_path: Path) -> None:
        place = Place(tmp_path, keep_secrets=True)
        place.write("a.log", b"pin 1234\n")
        assert texts(place.pull()) == ["pin 1234"]

    def test_unreadable_file_is_an_error_and_the_others_are_pulled(
        self, place: Place, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bad = place.write("a.log", b"x\n")
        place.write("b.log", b"y\n")
        really_open = os.open

        def refuse(path: Any, *rest: Any, **more: Any) -> int:
            if path == bad:
                raise PermissionError(13, "Permission denied")
            return really_open(path, *rest, **more)

        monkeypatch.setattr(os, "open", refuse)
        first, second = place.pull()
        assert first.error == "cannot be read: Permission denied"
        assert (first.records, first.spool_file, first.checkpoint) == (0, None, None)
        assert texts([second]) == ["y"]

    def test_a_binary_file_is_an_error_row_and_a_file_without_bytes_is_nothing(self, tmp_path: Path) -> None:
        place = Place(tmp_path, JSON)
        place.write("a.log", bytes(range(256)) * 10)
        place.write("b.log", b"")
        place.write("c.log", b'{"a":1}\n')
        place.write("d.log.gz", gzip.compress(b""))
        binary, good, empty = place.pull()
        assert (binary.records, binary.errors) == (1, 1)
        assert table([empty])["reason"].to_pylist() == ["empty object"]
        assert (good.records, good.errors) == (1, 0)


class TestWhatIsNew:
    def test_unchanged_files_are_not_read_again(self, place: Place) -> None:
        place.write("a.log", b"x\n")
        place.write("b.log.gz", gzip.compress(b"y\n"))
        assert texts(place.pull()) == ["x", "y"]
        assert place.pull() == []

    def test_grown_file_gives_the_new_range_alone(self, place: Place) -> None:
        place.write("a.log", b"one\ntwo\n")
        place.pull()
        place.write("a.log", b"three\n", age=1000, append=True)
        (item,) = place.pull()
        assert texts([item]) == ["three"]
        assert (item.byte_start, item.byte_end) == (8, 14)
        assert item.object_sha256 == hashlib.sha256(b"three\n").hexdigest()

    def test_tail_waits_until_the_file_is_at_rest(self, place: Place) -> None:
        place.write("a.log", b"one\ntw", age=5)
        (item,) = place.pull()
        assert texts([item]) == ["one"]
        assert item.held_back == 2
        assert place.pull() == []
        (rest,) = place.pull(now=NOW + timedelta(minutes=2))
        assert texts([rest]) == ["tw"]
        assert rest.byte_start == 4
        assert place.pull(now=NOW + timedelta(minutes=3)) == []

    def test_line_that_goes_on_after_it_was_taken_is_read_whole(self, place: Place) -> None:
        place.write("a.log", b"one\ntw")
        assert texts(place.pull()) == ["one", "tw"]
        place.write("a.log", b"o\n", age=1000, append=True)
        assert texts(place.pull()) == ["one", "two"]

    @settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.lists(st.integers(0, 10**6), min_size=1, max_size=20), st.data())
    def test_any_cut_into_pulls_gives_the_same_records(
        self, tmp_path_factory: pytest.TempPathFactory, numbers: list[int], data: st.DataObject
    ) -> None:
        for split in (LINES, JSON):
            place = Place(tmp_path_factory.mktemp("cut"), split)
            content = b"".join(b'{"n": %d}\n' % number for number in numbers)
            cut = data.draw(st.integers(0, len(content)))
            place.write("a.log", content[:cut], age=30)
            first = place.pull()
            if cut < len(content):
                place.write("a.log", content[cut:], age=20, append=True)
            rows = table([*first, *place.pull()]).to_pylist()
            assert [json.loads(row["raw"])["n"] for row in rows] == numbers
            assert all(row["reason"] is None for row in rows)

    def test_rotated_file_is_read_under_both_names(self, place: Place) -> None:
        path = place.write("a.log", b"one\ntwo\n")
        place.pull()
        place.write("a.log", b"three\n", age=1000, append=True)
        path.rename(place.folder / "a.log.1")
        place.write("a.log", b"four\n", age=500)
        new, rotated = place.pull()
        assert (new.byte_start, texts([new])) == (0, ["four"])
        assert (rotated.byte_start, texts([rotated])) == (0, ["one", "two", "three"])

    def test_file_truncated_in_place_is_read_from_its_beginning(self, place: Place) -> None:
        place.write("a.log", b"one\ntwo\n")
        place.pull()
        place.write("a.log", b"x\n", age=1000)
        assert texts(place.pull()) == ["x"]
        place.write("a.log", b"another\nand more\n", age=900)
        assert texts(place.pull()) == ["another", "and more"]
        place.write("a.log", b"\0" * 17 + b"sparse\n", age=800)
        assert texts(place.pull()) == ["sparse"]

    def test_file_rewritten_with_the_same_size_is_read_anew(self, place: Place) -> None:
        place.write("a.log", b"one\n")
        place.pull()
        place.write("a.log", b"two\n", age=1000)
        (anew,) = place.pull()
        assert (texts([anew]), anew.rewritten) == (["two"], True)

    def test_only_a_file_that_did_more_than_grow_is_told_of(self, place: Place) -> None:
        place.write("a.log", b"one\n")
        assert [item.rewritten for item in place.pull()] == [False]
        place.write("a.log", b"two\n", age=1000, append=True)
        assert [item.rewritten for item in place.pull()] == [False]
        place.write("a.log", b"One\ntwo\n", age=900)
        assert [item.rewritten for item in place.pull()] == [True]

    def test_document_that_was_written_anew_is_read_whole(self, tmp_path: Path) -> None:
        place = Place(tmp_path, JSON)
        for opening, closing in ((b"[\n", b"\n]\n"), (b'{"Records":[\n', b"]}"), (b'{\n"Records":[', b"]\n}\n")):
            place.write("a.log", opening + b'{"a":1}' + closing, age=1000)
            place.pull()
            place.write("a.log", opening + b'{"a":1},\n{"b":2}' + closing, age=900)
            assert texts(place.pull()) == ['{"a":1}', '{"b":2}']
            place.known = Checkpoints()

    def test_what_is_appended_while_it_is_read_waits(self, place: Place) -> None:
        path = place.write("a.log", b"one\n" * 10)

        def split(stream: Any, at_rest: bool, options: Any) -> Any:
            with path.open("ab") as file:
                file.write(b"late\n")
            return lines(stream, at_rest)

        place.source = Source("egress", log_format(split), "egress", "*.log", place.folder, Options(), False)
        (item,) = place.pull()
        assert (item.bytes, item.records) == (40, 10)
        assert item.object_sha256 == hashlib.sha256(b"one\n" * 10).hexdigest()
        (item,) = place.pull()
        assert texts([item]) == ["late"]

    def test_file_that_shrinks_while_it_is_read_says_so(self, place: Place) -> None:
        path = place.write("a.log", b"one\n" * 10)

        def split(stream: Any, at_rest: bool, options: Any) -> Any:
            os.truncate(path, 8)
            return lines(stream, at_rest)

        place.source = Source("egress", log_format(split), "egress", "*.log", place.folder, Options(), False)
        (item,) = place.pull()
        assert table([item])["reason"].to_pylist() == [None, None, "the file shrank while it was read"]
        assert item.object_sha256 == hashlib.sha256(b"one\none\n").hexdigest()


class TestRanges:
    def test_large_file_is_cut_at_line_ends_with_a_hash_each(
        self, place: Place, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("pipelines.formats.text_stream.CHUNK", 1000)
        content = b"".join(b"line number %d\n" % number for number in range(1000))
        place.write("a.log", content)
        items = place.pull(range_bytes=3000)
        assert len(items) > 4
        assert texts(items) == content.decode().splitlines()
        for item, following in itertools.pairwise(items):
            assert item.byte_end == following.byte_start
            assert 3000 <= item.bytes <= 4000
        for item in items:
            stretch = content[item.byte_start : item.byte_end]
            assert item.object_sha256 == hashlib.sha256(stretch).hexdigest()
            assert stretch.endswith(b"\n")
            assert table([item])["ordinal"].to_pylist() == list(range(item.records))
        assert place.pull() == []

    def test_pull_that_was_broken_off_goes_on_behind_what_was_stored(
        self, place: Place, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("pipelines.formats.text_stream.CHUNK", 1000)
        place.write("a.log", b"".join(b"%05d\n" % number for number in range(1000)), age=30)
        first = next(pull(place.source, place.known, place.spool, key=KEY, now=NOW, range_bytes=2000))
        place.known = Checkpoints([first.checkpoint] if first.checkpoint else [])
        rest = place.pull()
        assert rest[0].byte_start == first.byte_end
        assert texts([first, *rest]) == [f"{number:05}" for number in range(1000)]


class TestGzip:
    def test_is_told_by_its_bytes_and_not_by_its_name(self, place: Place) -> None:
        packed = gzip.compress(b"one\n") + gzip.compress(b"two\n")
        place.write("a.log", packed)
        place.write("b.log.gz", b"plain\n")
        first, second = place.pull()
        assert texts([first]) == ["one", "two"]
        assert (first.bytes, first.object_sha256) == (len(packed), hashlib.sha256(packed).hexdigest())
        assert texts([second]) == ["plain"]

    def test_cut_off_file_gives_what_is_there_and_is_read_again_when_it_is_whole(self, place: Place) -> None:
        packed = gzip.compress(b"".join(b"line %d\n" % number for number in range(10_000)))
        place.write("a.log.gz", packed[: len(packed) // 2], age=5)
        (item,) = place.pull()
        rows = table([item]).to_pylist()
        assert rows[-1]["reason"].startswith("gzip ends early after ")
        assert [row["raw"] for row in rows[:3000]] == [f"line {number}" for number in range(3000)]
        assert item.errors == 1
        place.write("a.log.gz", packed, age=5)
        (item,) = place.pull(now=NOW + timedelta(minutes=2))
        assert (item.records, item.errors) == (10_000, 0)

    def test_corrupt_container_keeps_the_records_before_the_fault(self, tmp_path: Path) -> None:
        place = Place(tmp_path, JSON)
        records = [{"n": number, "x": hashlib.sha256(b"%d" % number).hexdigest()} for number in range(5000)]
        packed = bytearray(gzip.compress(json.dumps({"Records": records}).encode()))
        packed[len(packed) // 2 : len(packed) // 2 + 200] = b"\xff" * 200
        place.write("a.log.gz", bytes(packed))
        (item,) = place.pull()
        rows = table([item]).to_pylist()
        good = [json.loads(row["raw"]) for row in rows if row["reason"] is None]
        assert good[:2000] == records[:2000]
        assert [row["reason"][:12] for row in rows if row["reason"]][-1] == "corrupt gzip"

    def test_bomb_is_an_error_row(self, place: Place) -> None:
        place.write("a.log.gz", gzip.compress(b"line\n" * 100_000))
        (item,) = place.pull(max_expanded=5000)
        assert (item.records, item.errors) == (1001, 1)
        assert table([item])["reason"].to_pylist()[-1] == "gzip expands beyond 5000 bytes; the rest was not read"
        assert item.bytes == os.path.getsize(place.folder / "a.log.gz")
