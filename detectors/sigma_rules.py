"""Sigma rules: YAML files of a folder, read with pySigma, checked, and turned into detectors.

A file is a rule as SigmaHQ publishes it (https://github.com/SigmaHQ/sigma-specification, 2.1), unmodified.
Beside that it may have `tests`: records in their real form, and whether the rule matches each. A rule that
cannot run is refused with file and line; so is one about a log that is not read here.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from sigma.conversion.state import ConversionState
from sigma.exceptions import SigmaError
from sigma.policy.profiles import SafePolicy
from sigma.rule import SigmaDetectionItem, SigmaRule

from detectors import tags
from detectors.findings import Severity
from detectors.located import Key, Located, Problem, Problems, problems_of
from detectors.located import load as load_yaml
from detectors.sigma_backend import SqlBackend, expression_fault
from detectors.sigma_logs import Log, log_of
from detectors.sigma_tree import Columns, Node, fields, leaves, sql

PREFIX = "sigma_"
"""Every Sigma rule's detector id begins so; its file's name follows."""

MAX_TESTS = 5_000
"""Comparisons in one rule: SigmaHQ's longest has some 400."""

_SEVERITIES: Mapping[str, Severity] = {
    "informational": "info",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "critical": "critical",
}
_CORRELATES = ("correlation", "filter", "action")


class Case(BaseModel):
    """A record (a mapping, or the record's text) and whether the rule matches it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    record: Mapping[str, Any] | str
    match: bool
    format: str | None = None
    """The log format of the record, where the rule's log can come in several; a proxy's is Squid's native one."""


class _Tests(BaseModel):
    model_config = ConfigDict(frozen=True)

    tests: tuple[Case, ...] = ()


@dataclass(frozen=True)
class Rule:
    """A Sigma rule that may run. Its `version` changes with its file and with what its condition becomes."""

    id: str
    version: str
    document: str
    file: str
    uid: str | None
    title: str
    author: str | None
    severity: Severity
    tags: tuple[str, ...]
    other_tags: tuple[str, ...]
    look_alikes: tuple[str, ...]
    log: Log
    condition: Node
    tests: tuple[Case, ...]


class Unread(Problems):
    """A rule on a log that no format here gives: it may be sound, and could never match."""


def files(folder: Path) -> list[Path]:
    """The files of a folder, and of the folders in it, that are Sigma rules, by path."""
    return [path for path in sorted(folder.rglob("*")) if _is_rule(path)]


def id_of(path: Path) -> str:
    """The id of the rule that a file holds."""
    return PREFIX + re.sub(r"[^a-z0-9]+", "_", path.stem.lower()).strip("_")[:100]


def load(folder: Path) -> list[Rule]:
    """The Sigma rules of a folder and the folders in it, by path; raises Problems where any cannot be used."""
    rules: list[Rule] = []
    problems: list[Problem] = []
    for path in files(folder):
        try:
            rules.append(read(path))
        except Problems as error:
            problems.extend(error.problems)
    if problems:
        raise Problems(problems)
    return rules


def _is_rule(path: Path) -> bool:
    """`.yml` is Sigma; `.yaml` only with a detection, since other parts of a catalogue end so too."""
    if path.suffix == ".yaml" and path.is_file():
        return bool(re.search(rb"^detection:", path.read_bytes(), re.MULTILINE))
    return path.suffix == ".yml" and path.is_file()


def read(path: Path) -> Rule:
    """One rule; raises Problems."""
    status = path.stat()
    return _read(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=10_000)
def _read(path: Path, _modified: int, _bytes: int) -> Rule:
    """A file that has not changed since is not read again by a process that lives on."""
    located = load_yaml(path)
    document = path.read_text(encoding="utf-8-sig")
    found = _Reader(located)
    rule, condition, log = found.read()
    tests = _tests(located)
    digest = hashlib.sha256(f"{document}\0{_sql(condition)}".encode()).hexdigest()
    named = [str(tag) for tag in rule.tags]
    current = [_current(tag) for tag in named]
    return Rule(
        id=id_of(path),
        version=digest[:12],
        document=document,
        file=str(path),
        uid=str(rule.id) if rule.id else None,
        title=rule.title,
        author=rule.author,
        severity=_SEVERITIES[str(rule.level) if rule.level else "medium"],
        tags=tuple(dict.fromkeys(tag for tag in current if tags.fault(tag) is None)),
        other_tags=tuple(tag for tag, now in zip(named, current, strict=True) if tags.fault(now)),
        look_alikes=tuple(str(one) for one in rule.falsepositives),
        log=log,
        condition=condition,
        tests=tests,
    )


def _current(tag: str) -> str:
    """A tag by the names of ATT&CK's current version."""
    framework, dot, name = tag.partition(".")
    return f"{framework}{dot}{tags.ATTACK_RETIRED.get(name, name)}" if framework == "attack" else tag


def _sql(condition: Node) -> str:
    """The condition's SQL with every field in a place of its own."""
    return sql(condition, {name: Columns(number, listed=True) for number, name in enumerate(sorted(fields(condition)))})


def _tests(located: Located) -> tuple[Case, ...]:
    try:
        return _Tests.model_validate({key: value for key, value in located.data.items() if key == "tests"}).tests
    except ValidationError as error:
        raise Problems(problems_of(located, error, _Tests)) from error


class _Reader:
    """Reads one rule's values; every mistake is a problem at the line that it is written on."""

    def __init__(self, located: Located) -> None:
        self.located = located
        self.problems: list[Problem] = []

    def read(self) -> tuple[SigmaRule, Node, Log]:
        data = self.located.data
        for key in _CORRELATES:
            if key in data:
                self._refuse((key,), f"'{key}' combines several rules, which is not supported; write a SQL detector")
        if data.get("status") == "unsupported":
            self._refuse(("status",), "the rule says of itself that it is unsupported")
        log = self._log(data.get("logsource"))
        self._stop()
        assert log is not None  # else there was a problem
        backend = SqlBackend(log)
        for path, named, value in self._items(data.get("detection")):
            self._item(backend, path, named, value)
        self._stop()
        rule = SigmaRule.from_dict(data, collect_errors=True, policy=SafePolicy)
        for error in rule.errors:
            self._refuse((_key_of(error),), _said(error))
        self._stop()
        return rule, self._condition(backend, rule), log

    def _log(self, source: Any) -> Log | None:
        if not isinstance(source, dict):
            self._refuse(("logsource",), "a rule needs a logsource with product, service or category")
            return None
        try:
            return log_of(*(source.get(key) for key in ("product", "service", "category")))
        except ValueError as error:
            raise Unread([self.located.problem(("logsource",), str(error))]) from error

    def _items(self, detection: Any) -> Iterator[tuple[Key, str | None, Any]]:
        """Every `field|modifier: value` of the detections with its key path; None stands for values without a field."""
        if not isinstance(detection, dict):
            self._refuse(("detection",), "a rule needs a detection with a condition")
            return
        for name, definition in detection.items():
            if name != "condition":
                yield from self._definition(("detection", name), definition)

    def _definition(self, path: Key, definition: Any) -> Iterator[tuple[Key, str | None, Any]]:
        if isinstance(definition, dict):
            for key, value in definition.items():
                yield (*path, key), key, value
        elif isinstance(definition, list) and any(isinstance(one, dict | list) for one in definition):
            for index, one in enumerate(definition):
                yield from self._definition((*path, index), one)
        else:
            yield path, None, definition

    def _item(self, backend: SqlBackend, path: Key, key: str | None, value: Any) -> None:
        """Convert one item by itself, so that its mistakes are told with its line."""
        values = value if isinstance(value, list) else [value]
        if any(isinstance(one, dict | list) for one in values):
            self._refuse(path, "a field's value must be a text, a number, true, false, null or a list of those")
            return
        if not values:
            self._refuse(path, "the list of values is empty")
            return
        if key is not None and "re" in key.split("|"):
            faults = [(index, expression_fault(str(one))) for index, one in enumerate(values)]
            for index, fault in faults:
                if fault:
                    self._refuse((*path, index) if isinstance(value, list) else path, fault)
            if any(fault for _, fault in faults):
                return
        try:
            item = SigmaDetectionItem.from_mapping(key, value, policy=SafePolicy)
            backend.convert_condition(item.postprocess(None), ConversionState())  # type: ignore[arg-type]
        except (SigmaError, TypeError) as error:
            self._refuse(path, _said(error))

    def _condition(self, backend: SqlBackend, rule: SigmaRule) -> Node:
        conditions = rule.detection.parsed_condition
        if len(conditions) != 1:
            self._refuse(
                ("detection", "condition"), "several conditions in one rule are not supported; join them by or"
            )
        self._stop()
        try:
            node: Node = backend.convert_condition(conditions[0].parsed, ConversionState())
        except (SigmaError, TypeError, RecursionError) as error:
            self._refuse(("detection", "condition"), _said(error))
            self._stop()
        tests = sum(1 for _ in leaves(node))
        if tests > MAX_TESTS:
            self._refuse(("detection",), f"the rule makes {tests} comparisons; at most {MAX_TESTS} can be run")
            self._stop()
        return node

    def _refuse(self, key: Key, message: str) -> None:
        self.problems.append(self.located.problem(key, message))

    def _stop(self) -> None:
        if self.problems:
            raise Problems(self.problems)


_KEYS = {
    "SigmaConditionError": "detection",
    "SigmaDetectionError": "detection",
    "SigmaIdentifierError": "id",
}


def _key_of(error: SigmaError) -> str:
    """The key of the file that an error of pySigma is about: SigmaTitleError is `title`."""
    name = type(error).__name__
    return _KEYS.get(name, name.removeprefix("Sigma").removesuffix("Error").lower())


def _said(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "the condition is nested too deeply"
    return str(error.args[0]) if error.args else type(error).__name__
