"""All detectors, whatever they are written in: those of the catalogue and of the folders that `rules:` names."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from detectors import rules, sigma_rules
from detectors.located import Problem, Problems

Loaded = rules.Detector | sigma_rules.Rule
"""A SQL detector or a Sigma rule. Both have id, version and document."""


def load(folders: Iterable[Path]) -> list[Loaded]:
    """The detectors of these folders. Raises `Problems` with all that is wrong in any of them."""
    found: list[Loaded] = []
    problems: list[Problem] = []
    for folder in folders:
        if not folder.is_dir():
            problems.append(Problem(str(folder), 1, "", "is no folder; `rules` in workertrail.yaml names it"))
        for read in (rules.load, sigma_rules.load):
            try:
                found.extend(read(folder))
            except Problems as error:
                problems.extend(error.problems)
    problems += _taken(found)
    if problems:
        raise Problems(problems)
    return found


def _taken(loaded: Iterable[Loaded]) -> list[Problem]:
    """Detectors whose id, or whose Sigma id, another one has: findings could not be told apart."""
    problems: list[Problem] = []
    seen: dict[str, str] = {}
    for one in loaded:
        sigma = isinstance(one, sigma_rules.Rule)
        file = one.file if isinstance(one, sigma_rules.Rule) else f"{one.id}.sql"
        names = [one.id, *([one.uid] if isinstance(one, sigma_rules.Rule) and one.uid else [])]
        for name in names:
            if name in seen:
                by = "the file's name gives" if name == one.id and sigma else "it has"
                problems.append(Problem(file, 1, "", f"{by} the id {name}, which {seen[name]} has already"))
            seen.setdefault(name, file)
    return problems
