"""YAML files that people write (manifests, settings), read so that every complaint names file, line and key.

`load` turns a file into plain Python values and remembers the line of every key; `validate` puts the
values into a pydantic model. Whatever is wrong is a `Problem`; several travel together in `Problems`.
YAML is 1.2 (https://yaml.org/spec/1.2.2/): `yes` and `06:00` are text. No tag constructs an object.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from detectors.located_errors import Complaint, complaints

MAX_BYTES = 1_000_000
MAX_VALUES = 200_000
"""Values in one file with every alias written out: a few lines of aliases to aliases can mean billions."""
MAX_DEPTH = 60

Key = tuple[str | int, ...]
M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, order=True)
class Problem:
    """One thing that is wrong in a file; `line` counts from 1, `key` is empty where the file as a whole is wrong."""

    file: str
    line: int
    key: str
    message: str

    def __str__(self) -> str:
        key = f"{self.key}: " if self.key else ""
        return _printable(f"{self.file}:{self.line}: {key}{self.message}")


class Problems(Exception):
    """All problems that were found, in order of file and line; the text of the error has one a line."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: list[Problem] = sorted(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


@dataclass(frozen=True)
class Located:
    """A file's values (`dict`, `list`, text, numbers, booleans, null, `date`, naive UTC `datetime`) and their lines."""

    file: str
    data: dict[str, Any]
    lines: dict[Key, int]

    def line(self, key: Sequence[str | int]) -> int:
        """The line of a key path such as `("scope", 0, "allow")`, or of its nearest ancestor that is written."""
        path = tuple(key)
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def problem(self, key: Sequence[str | int], message: str) -> Problem:
        """A problem at this key path."""
        return Problem(self.file, self.line(key), dotted(key), message)


def dotted(key: Sequence[str | int]) -> str:
    """`("scope", 0, "allow")` is `scope[0].allow`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in key)
    return text.removeprefix(".")


def load(path: Path) -> Located:
    """Read a YAML file that holds one mapping; raises `Problems` when it cannot be read as one."""
    return parse(str(path), _text(path))


def parse(file: str, text: str) -> Located:
    """The values of a text that holds one mapping; `file` is what problems name. Raises `Problems`."""
    reader = _Reader(file)
    data = reader.read(text)
    if data is None:
        raise Problems([Problem(file, 1, "", "the file is empty; it must hold `key: value` lines")])
    if not isinstance(data, dict):
        raise Problems([Problem(file, 1, "", "the file must hold `key: value` lines, not a list or a single value")])
    return Located(file, data, reader.lines)


def validate(located: Located, model: type[M], at: Sequence[str | int] = ()) -> M:
    """The values (or the part of them at key path `at`) as a `model`; raises `Problems` with a line for each error."""
    value: Any = located.data
    for part in at:
        value = value[part]
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise Problems(problems_of(located, error, model, at)) from error


def problems_of(
    located: Located, error: ValidationError, model: type[BaseModel], at: Sequence[str | int] = ()
) -> list[Problem]:
    """What pydantic found wrong with the values at key path `at`, each with the line that it is written on."""

    def placed(complaint: Complaint) -> Problem:
        path = (*at, *complaint.path)
        return Problem(located.file, located.line(path), dotted(path), complaint.message)

    value: Any = located.data
    for part in at:
        value = value[part]
    return [placed(complaint) for complaint in complaints(error, model, value)]


def _text(path: Path) -> str:
    file = str(path)

    def refuse(message: str) -> Problems:
        return Problems([Problem(file, 1, "", message)])

    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise refuse(f"cannot be read: {error.strerror or error}") from error
    if len(raw) > MAX_BYTES:
        raise refuse("is larger than 1 MB; no file of settings needs to be")
    if b"\0" in raw:
        raise refuse("is a binary file, or text that is not UTF-8; save it as UTF-8 text")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise Problems([Problem(file, line, "", "is not UTF-8 text; save it as UTF-8")]) from error


class _Reader:
    """Walks the YAML nodes of one file: values out, lines noted, everything unexpected refused."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.lines: dict[Key, int] = {}
        self.problems: list[Problem] = []
        self.values = 0

    def read(self, text: str) -> Any:
        try:
            root = YAML(typ="safe", pure=True).compose(text)
        except MarkedYAMLError as error:
            raise Problems([self._syntax(error)]) from error
        except YAMLError as error:
            message = f"is not YAML: {_first_line(error)}"
            raise Problems([Problem(self.file, _bad_character_line(text), "", message)]) from error
        except (RecursionError, ValueError, OverflowError) as error:
            message = "is nested too deeply" if isinstance(error, RecursionError) else f"is not YAML: {error}"
            raise Problems([Problem(self.file, 1, "", message)]) from error
        if root is None:
            return None
        data = self._value(root, ())
        if self.problems:
            raise Problems(self.problems)
        return data

    def _syntax(self, error: MarkedYAMLError) -> Problem:
        mark = error.problem_mark or error.context_mark
        said = " ".join(part for part in (error.context, error.problem) if part)
        return Problem(self.file, mark.line + 1 if mark else 1, "", f"is not YAML: {said or 'syntax error'}")

    def _refuse(self, node: Node, path: Key, message: str) -> None:
        self.problems.append(Problem(self.file, node.start_mark.line + 1, dotted(path), message))

    def _value(self, node: Node, path: Key) -> Any:
        self.lines.setdefault(path, node.start_mark.line + 1)
        self.values += 1
        if self.values > MAX_VALUES or len(path) > MAX_DEPTH:
            too = f"more than {MAX_VALUES} values" if self.values > MAX_VALUES else f"more than {MAX_DEPTH} levels"
            self._refuse(node, path, f"{too}, aliases written out")
            raise Problems(self.problems)
        tag = str(node.tag)
        if isinstance(node, MappingNode) and tag == _TAG + "map":
            return self._mapping(node, path)
        if isinstance(node, SequenceNode) and tag == _TAG + "seq":
            return [self._value(item, (*path, index)) for index, item in enumerate(node.value)]
        if isinstance(node, ScalarNode) and tag in _SCALARS:
            return self._scalar(node, tag, path)
        self._refuse(node, path, f"the tag {tag.replace(_TAG, '!!')} is not allowed; write the plain value")
        return None

    def _mapping(self, node: MappingNode, path: Key) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                self._refuse(key, path, "a key must be text")
                continue
            name = str(key.value)
            if key.tag == _TAG + "merge":
                self._refuse(key, path, "merge keys (<<) are not supported; write the keys out")
                continue
            if not name.isascii() and _surrogate(name):
                self._refuse(key, path, "a key holds half a character (a lone surrogate)")
                continue
            if name in found:
                first = self.lines[(*path, name)]
                self._refuse(key, (*path, name), f"the key is given twice (first on line {first})")
                continue
            self.lines[(*path, name)] = key.start_mark.line + 1
            found[name] = self._value(value, (*path, name))
        return found

    def _scalar(self, node: ScalarNode, tag: str, path: Key) -> Any:
        try:
            return _SCALARS[tag](node.value)
        except (ValueError, OverflowError):
            kind = tag.removeprefix(_TAG)
            self._refuse(node, path, f"{node.value!r} is not a valid {kind}; put it in quotes if it is text")
            return None


def instant(text: str) -> date | datetime:
    """ISO 8601 text: a date, or a time as naive UTC (a time without a zone is UTC). Raises ValueError."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        time = datetime.fromisoformat(text)
    return time.astimezone(UTC).replace(tzinfo=None) if time.tzinfo else time


def _plain_text(text: str) -> str:
    if _surrogate(text):
        raise ValueError("half a character")
    return text


def _surrogate(text: str) -> bool:
    """Whether a `\\ud800` escape left half a character, which no UTF-8 file can hold."""
    return any("\ud800" <= char <= "\udfff" for char in text)


def _integer(text: str) -> int:
    plain = text.replace("_", "").lower()
    digits = plain.lstrip("+-")
    base = {"0x": 16, "0o": 8, "0b": 2}.get(digits[:2], 10)
    return int(plain, base)


def _real(text: str) -> float:
    plain = text.replace("_", "").lower()
    named = {".inf": math.inf, "+.inf": math.inf, "-.inf": -math.inf, ".nan": math.nan}
    return named[plain] if plain in named else float(plain)


_TAG = "tag:yaml.org,2002:"
_SCALARS: dict[str, Callable[[str], Any]] = {
    _TAG + "str": _plain_text,
    _TAG + "int": _integer,
    _TAG + "float": _real,
    _TAG + "bool": lambda text: text.lower() == "true",
    _TAG + "null": lambda _text: None,
    _TAG + "timestamp": instant,
}


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0]


def _bad_character_line(text: str) -> int:
    """The line of the first character that YAML 1.2 (section 5.1) does not allow."""
    bad = re.search("[^\\t\\n\\r\\x20-\\x7e\\x85\\xa0-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]", text)
    return text.count("\n", 0, bad.start() if bad else 0) + 1


def _printable(text: str) -> str:
    """Control characters (a key in a file may hold terminal escapes) written as escapes."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
