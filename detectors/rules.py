"""SQL detectors: files with a YAML head are loaded and checked, run over the provided tables, shaped to findings.

A file `catalogue/NAME.sql` begins with `/*---`, a YAML head (see `Head`), `---*/`, and holds one SELECT
that gives a row for each piece of evidence (see `detectors.statement` for its columns). Everything after
that is the same for all detectors, here.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated

import pyarrow as pa
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from detectors import provided, statement, tags
from detectors.cases import Case, differences
from detectors.engine import Engine
from detectors.findings import FOUND, SEVERITIES, Severity, Stamp, findings_sql, shaped, unfit_sql
from detectors.located import Located, Problem, Problems, parse, validate

_HEAD = re.compile(r"\A\s*/\*---[^\n]*\n(?P<yaml>.*?)^[ \t]*---\*/", re.DOTALL | re.MULTILINE)
_TESTS = re.compile(r"^tests:.*?(?=^[A-Za-z_]|\Z)", re.DOTALL | re.MULTILINE)
"""The test cases within a head, mostly longer than all the rest: a run does not read them."""


def _valid_tag(tag: str) -> str:
    fault = tags.fault(tag)
    if fault:
        raise ValueError(f"{tag!r} is no tag: {fault}")
    return tag


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LookAlike(_Strict):
    """Something harmless that resembles what the detector seeks, and what tells the two apart."""

    case: str
    separated_by: str


class Head(_Strict):
    """What a detector says of itself."""

    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{2,59}$")]
    version: Annotated[int, Field(ge=1)]
    title: str
    description: str
    severity: Severity
    tags: Annotated[tuple[Annotated[str, AfterValidator(_valid_tag)], ...], Field(min_length=1)]
    look_alikes: tuple[LookAlike, ...] = ()


class Cases(_Strict):
    """A detector's own test cases."""

    tests: Annotated[tuple[Case, ...], Field(min_length=1)]


@dataclass(frozen=True)
class Detector:
    """A detector that may run: its head, its SELECT, and a version that changes with every change of its file."""

    file: str
    head: Head
    sql: str
    version: str
    document: str
    columns: frozenset[str]
    """The columns of its rows of evidence."""

    @property
    def id(self) -> str:
        return self.head.id

    @cached_property
    def cases(self) -> tuple[Case, ...]:
        """Its test cases; raises Problems where they cannot be read, or where there are none."""
        return validate(self._tests, Cases).tests

    @property
    def has_cases(self) -> bool:
        """Whether its head has test cases at all."""
        return _TESTS.search(self._head["yaml"]) is not None

    def case_line(self, place: int) -> int:
        """The line of the file on which a case begins."""
        return self._tests.line(("tests", place))

    @property
    def _head(self) -> re.Match[str]:
        match = _HEAD.match(self.document)
        assert match is not None
        return match

    @cached_property
    def _tests(self) -> Located:
        tests = _TESTS.search(self._head["yaml"])
        lines = self.document.count("\n", 0, self._head.start("yaml") + (tests.start() if tests else 0))
        if tests is None:
            raise Problems([Problem(self.file, lines + 1, "tests", "the required key 'tests' is missing")])
        return parse(self.file, "\n" * lines + tests[0])


@dataclass(frozen=True)
class Failure:
    """A detector that could not be run, and why."""

    detector: str
    error: str


@dataclass(frozen=True)
class Judgement:
    """What the detectors that ran found (columns FOUND), and those that failed."""

    findings: pa.Table
    failures: tuple[Failure, ...]


def load(folder: Path) -> list[Detector]:
    """The SQL detectors of a folder, by id; raises Problems (file, line) where any cannot be used."""
    detectors: list[Detector] = []
    problems: list[Problem] = []
    for path in sorted(folder.glob("*.sql")):
        try:
            detectors.append(read(path))
        except Problems as error:
            problems.extend(error.problems)
    if problems:
        raise Problems(problems)
    return detectors


def read(path: Path) -> Detector:
    """One detector; raises Problems."""
    file = str(path)
    try:
        document = path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Problems([Problem(file, 1, "", f"cannot be read: {error}")]) from error
    return _read(file, document)


@lru_cache(maxsize=1_000)
def _read(file: str, document: str) -> Detector:
    match = _HEAD.match(document)
    if match is None:
        message = "has no head; begin the file with /*---, the YAML head and ---*/ on lines of their own"
        raise Problems([Problem(file, 1, "", message)])
    said = _TESTS.sub(lambda tests: "\n" * tests[0].count("\n"), match["yaml"])
    located = parse(file, "\n" * document.count("\n", 0, match.start("yaml")) + said)
    head = validate(located, Head)
    stem = Path(file).stem
    problems = [] if head.id == stem else [located.problem(("id",), f"must be the file's name, {stem}")]
    sql = document[match.end() :].strip()
    first_line = document.count("\n", 0, document.index(sql, match.end()))
    for fault in statement.faults(sql, provided.NAMES):
        problems.append(Problem(file, first_line + fault.line, "", fault.message))
    if problems:
        raise Problems(problems)
    digest = hashlib.sha256(document.encode()).hexdigest()
    return Detector(file, head, sql, f"{head.version}+{digest[:12]}", document, statement.columns(sql))


def judge(engine: Engine, detectors: Sequence[Detector]) -> Judgement:
    """Run every detector over the engine's tables; one that fails fails alone."""
    findings: list[pa.Table] = [FOUND.empty_table()]
    failures: list[Failure] = []
    for detector in detectors:
        try:
            findings.append(findings_of(engine, detector))
        except Exception as error:  # whatever an engine raises, the other detectors still run
            failures.append(Failure(detector.id, f"{type(error).__name__}: {error}"))
    return Judgement(pa.concat_tables(findings), tuple(failures))


def findings_of(engine: Engine, detector: Detector) -> pa.Table:
    """The findings (FOUND) of one detector; raises what the engine raises, and ValueError for rows that are unfit."""
    evidence = f"evidence_of_{detector.id}"
    engine.let(evidence, detector.sql)
    unfit = engine.query(unfit_sql(evidence)).column("unfit")[0].as_py()
    if unfit:
        msg = f"{unfit} rows have no action_uid or no time, or a severity that is none of {', '.join(SEVERITIES)}"
        raise ValueError(msg)
    rows = engine.query(findings_sql(evidence, detector.id, detector.columns))
    return shaped(rows, Stamp(detector.id, detector.version, detector.head.title, detector.head.tags))


def failed_cases(engine: Engine, detector: Detector, schemas: Mapping[str, pa.Schema]) -> list[Problem]:
    """Run a detector's own test cases in an engine that holds nothing else; what went otherwise than expected.

    `schemas` are those of the provided tables (`detectors.provided.schemas`); the engine's tables of
    these names are replaced. Raises Problems where the cases cannot be read.
    """
    return [
        Problem(detector.file, detector.case_line(place), f"tests[{place}]", f"{case.name}: {said}")
        for place, case in enumerate(detector.cases)
        for said in _outcome(engine, detector, case, schemas)
    ]


def _outcome(engine: Engine, detector: Detector, case: Case, schemas: Mapping[str, pa.Schema]) -> list[str]:
    try:
        for name, table in case.tables(schemas).items():
            engine.let(name, table)
        return differences(case.expected, findings_of(engine, detector))
    except Exception as error:  # whatever an engine raises, the other cases still run
        return [f"cannot be run: {type(error).__name__}: {error}"]
