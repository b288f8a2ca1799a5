"""All detectors, whatever they are written in: those of the catalogue and of the folders that `rules:` names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from detectors import behaviour_head, rules, sigma_rules
from detectors.located import Problem, Problems
from detectors.rules import Failure

Loaded = rules.Detector | sigma_rules.Rule
"""A SQL detector or a Sigma rule. Both have id, file, version and document."""


@dataclass(frozen=True)
class Refused:
    """A file of a user's folder that cannot be a detector: its id, and what is wrong."""

    detector: str
    problems: tuple[Problem, ...]

    @property
    def failure(self) -> Failure:
        return Failure(self.detector, "; ".join(str(problem) for problem in self.problems))


@dataclass(frozen=True)
class Loading:
    """The detectors that can run, and the users' files that cannot.

    `unread` are sound Sigma rules on logs that no format here gives: a whole public collection may be named.
    """

    detectors: tuple[Loaded, ...]
    refused: tuple[Refused, ...] = ()
    unread: tuple[Problem, ...] = ()


def load(catalogue: Path, users: Iterable[Path]) -> Loading:
    """The detectors of the catalogue and of users' folders.

    Raises `Problems` where the catalogue itself is not sound, or a folder is none. A user's file that cannot be used
    is refused alone: it must not stop all others.
    """
    own: list[Loaded] = [*rules.load(catalogue), *sigma_rules.load(catalogue)]
    taken = {behaviour_head.DETECTOR: "behaviour.yaml"}
    clashes = [problem for one in own for problem in _clashes(one, taken)]
    if clashes:
        raise Problems(clashes)
    found, refused, unread = own, [], []
    for file in _files(users):
        sigma = file.suffix != ".sql"
        try:
            one: Loaded = sigma_rules.read(file) if sigma else rules.read(file)
            problems = _clashes(one, taken)
        except sigma_rules.Unread as error:
            unread.extend(error.problems)
            continue
        except Problems as error:
            problems = list(error.problems)
        if problems:
            refused.append(Refused(sigma_rules.id_of(file) if sigma else file.stem, tuple(problems)))
        else:
            found.append(one)
    return Loading(tuple(found), tuple(refused), tuple(unread))


def _files(folders: Iterable[Path]) -> Iterator[Path]:
    for folder in folders:
        if not folder.is_dir():
            raise Problems([Problem(str(folder), 1, "", "is no folder; `rules` in workertrail.yaml names it")])
        yield from sorted(folder.glob("*.sql"))
        yield from sigma_rules.files(folder)


def _clashes(one: Loaded, taken: dict[str, str]) -> list[Problem]:
    """What is wrong where another detector has its id or its Sigma id; else both are taken from now on."""
    sigma = isinstance(one, sigma_rules.Rule)
    names = [one.id, *([one.uid] if isinstance(one, sigma_rules.Rule) and one.uid else [])]
    problems = []
    for name in names:
        if name in taken:
            by = "the file's name gives" if name == one.id and sigma else "it has"
            problems.append(Problem(one.file, 1, "", f"{by} the id {name}, which {taken[name]} has already"))
    if not problems:
        taken.update(dict.fromkeys(names, one.file))
    return problems
