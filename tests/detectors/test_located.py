"""YAML with positions: whatever is wrong is named by file, line and key, and nothing hostile gets through."""

from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import BaseModel, ConfigDict, Field

from detectors.located import Located, Problem, Problems, dotted, load, validate


class Identity(BaseModel):
    model_config = ConfigDict(extra="forbid")

    id: str


class Place(BaseModel):
    model_config = ConfigDict(extra="forbid")

    accounts: list[str] = []


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    identities: list[Identity] = []
    places: dict[str, Place] = {}
    one: Annotated[Identity | Place | None, Field(default=None)]
    count: int = Field(default=0, alias="at-most")


def written(tmp_path: Path, content: str | bytes) -> Path:
    path = tmp_path / "file.yaml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def refusal(tmp_path: Path, content: str | bytes) -> list[Problem]:
    with pytest.raises(Problems) as caught:
        load(written(tmp_path, content))
    return caught.value.problems


def test_values_and_lines(tmp_path: Path) -> None:
    text = """\
# a comment
name: x
dates: [2026-01-01, 2026-01-01T10:00:00Z, "2026-01-01", 2026-01-01 12:00:00+02:00]
plain: [yes, 06:00, 010, 0x1F, 1.5, true, null, ~]
nested:
  - a: 1
    b:
      - c
"""
    located = load(written(tmp_path, text))
    assert located.data["dates"] == [
        date(2026, 1, 1),
        datetime(2026, 1, 1, 10),
        "2026-01-01",
        datetime(2026, 1, 1, 10),
    ]
    assert located.data["plain"] == ["yes", "06:00", 10, 31, 1.5, True, None, None]
    assert located.line(("name",)) == 2
    assert located.line(("nested", 0, "b", 0)) == 8
    assert located.line(("nested", 0, "missing", "deeper")) == 6
    assert located.line(("absent",)) == 2


def test_aliases_are_written_out(tmp_path: Path) -> None:
    located = load(written(tmp_path, "a: &x [1, 2]\nb: *x\n"))
    assert located.data == {"a": [1, 2], "b": [1, 2]}


@pytest.mark.parametrize(
    ("content", "line", "said"),
    [
        (b"", 1, "empty"),
        (b"# only a comment\n", 1, "empty"),
        (b"- a\n- b\n", 1, "not a list"),
        (b"just text\n", 1, "not a list or a single value"),
        (b"\x1f\x8b\x08\x00\x00", 1, "binary"),
        ("worker: x\n".encode("utf-16"), 1, "not UTF-8"),
        (b"a: 1\nb: \xff\xfe\n", 2, "not UTF-8"),
        (b"a: 1\nb: \x07\n", 2, "not YAML"),
        (b"a: " + b"x" * 1_000_001, 1, "larger than 1 MB"),
        (b"a: [1\n", 2, "not YAML"),
        (b"a: 1\n  b: 2\n", 2, "not YAML"),
        (b"a: *nowhere\n", 1, "undefined alias"),
        (b"a: 1\n---\nb: 2\n", 2, "another document"),
        (b"[" * 100_000, 1, "nested too deeply"),
        (b"a: " + b"[" * 70 + b"]" * 70, 1, "levels"),
        (b"a: !!python/object/apply:os.system [id]\n", 1, "is not allowed"),
        (b"a: !!binary aGk=\n", 1, "!!binary is not allowed"),
        (b"a: &a [*a]\n", 1, "levels"),
        (b"x: &x {k: 1}\ny:\n  <<: *x\n", 3, "merge keys"),
        (b"a: 1\n? [b]\n: 2\n", 2, "a key must be text"),
        (b'a: "\\ud800"\n', 1, "not a valid str"),
        (b"a: 2026-13-45\n", 1, "not a valid timestamp"),
        (b'a: "\\Uffffffff"\n', 1, "not YAML"),
    ],
)
def test_refused(tmp_path: Path, content: bytes, line: int, said: str) -> None:
    problems = refusal(tmp_path, content)
    assert said in str(problems[0])
    assert problems[0].line == line
    assert problems[0].file.endswith("file.yaml")


def test_billion_laughs_end_early(tmp_path: Path) -> None:
    lines = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    problems = refusal(tmp_path, "\n".join(lines))
    assert "more than 200000 values" in problems[0].message


def test_duplicate_keys_name_both_lines(tmp_path: Path) -> None:
    problems = refusal(tmp_path, "a: 1\nb:\n  c: 1\n  c: 2\na: 3\n")
    assert [(one.line, one.key) for one in problems] == [(4, "b.c"), (5, "a")]
    assert "first on line 1" in problems[1].message


def test_a_missing_file_is_a_problem(tmp_path: Path) -> None:
    with pytest.raises(Problems, match=r"nothing\.yaml:1: cannot be read: No such file"):
        load(tmp_path / "nothing.yaml")


def test_a_folder_is_a_problem(tmp_path: Path) -> None:
    with pytest.raises(Problems, match="cannot be read"):
        load(tmp_path)


def invalid(tmp_path: Path, text: str) -> list[str]:
    path = written(tmp_path, text)
    with pytest.raises(Problems) as caught:
        validate(load(path), Settings)
    return [str(one).removeprefix(f"{path}:") for one in caught.value.problems]


def test_validation_names_line_and_key(tmp_path: Path) -> None:
    text = "identites: []\nidentities:\n  - {id: 5}\n  - {ids: x}\nplaces:\n  prod:\n    acounts: []\n    accounts: x\n"
    assert invalid(tmp_path, text) == [
        "1: the required key 'name' is missing",
        "1: identites: unknown key 'identites'; did you mean 'identities'?",
        "3: identities[0].id: must be text; put it in quotes (it is 5)",
        "4: identities[1]: the required key 'id' is missing",
        "4: identities[1].ids: unknown key 'ids'; did you mean 'id'?",
        "7: places.prod.acounts: unknown key 'acounts'; did you mean 'accounts'?",
        "8: places.prod.accounts: must be a list, such as [a, b] (it is 'x')",
    ]


def test_an_unknown_key_far_from_any_lists_the_known(tmp_path: Path) -> None:
    assert invalid(tmp_path, "name: x\nzzz: 1\n") == [
        "2: zzz: unknown key 'zzz'; known here: name, identities, places, one, at-most"
    ]


def test_union_members_are_not_part_of_the_key(tmp_path: Path) -> None:
    problems = invalid(tmp_path, "name: x\none:\n  idd: 1\n")
    assert "3: one.idd: unknown key 'idd'; did you mean 'id'?" in problems


def test_validation_of_a_part(tmp_path: Path) -> None:
    located = load(written(tmp_path, "places:\n  prod: {accounts: ['1']}\n  dev: {accounts: [1]}\n"))
    assert validate(located, Place, ("places", "prod")) == Place(accounts=["1"])
    with pytest.raises(Problems, match=r"file\.yaml:3: places\.dev\.accounts\[0\]: must be text"):
        validate(located, Place, ("places", "dev"))


def test_terminal_escapes_come_out_inert(tmp_path: Path) -> None:
    (problem,) = invalid(tmp_path, 'name: x\n"\\e[31mred\\n": 1\n')
    assert "\x1b" not in problem
    assert "\n" not in problem
    assert "\\x1b[31mred\\n" in problem


def test_problems_read_one_a_line() -> None:
    problems = Problems([Problem("b.yaml", 2, "k", "m"), Problem("a.yaml", 9, "", "n")])
    assert str(problems) == "a.yaml:9: n\nb.yaml:2: k: m"
    assert dotted(("scope", 0, "allow", "hosts", 1)) == "scope[0].allow.hosts[1]"
    assert Located("f", {}, {}).problem((), "m") == Problem("f", 1, "", "m")
