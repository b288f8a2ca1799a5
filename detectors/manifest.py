"""The manifests of a folder: read, checked one by one and against each other, every complaint with file and line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

from detectors.glob import covers, is_pattern
from detectors.located import Located, Problem, Problems, load, validate
from detectors.manifest_model import Identity, Manifest
from detectors.manifest_warnings import warnings

__all__ = ["Manifest", "conflicts", "load_manifest", "load_manifests", "manifest_files", "warnings"]

LOCATED_LISTS = (
    "scope", "limits", "secrets", "identities", "networks", "instantiators", "may_start", "delegators", "approvals",
    "schedule",
)  # fmt: skip
"""Keys whose entries keep their line."""


def load_manifests(folder: Path) -> list[Manifest]:
    """All manifests (`*.yaml`, `*.yml`) of a folder, by file name; raises `Problems` with everything wrong in any."""
    if not folder.is_dir():
        raise Problems(
            [Problem(str(folder), 1, "", "is no folder; it should hold one manifest (*.yaml) for each worker")]
        )
    manifests: list[Manifest] = []
    problems: list[Problem] = []
    for path in manifest_files(folder):
        try:
            manifests.append(load_manifest(path))
        except Problems as found:
            problems.extend(found.problems)
    problems.extend(conflicts(manifests))
    if problems:
        raise Problems(problems)
    return manifests


def manifest_files(folder: Path) -> list[Path]:
    """The files that are manifests: an editor's hidden files are not."""
    return sorted(path for path in folder.iterdir() if path.suffix in (".yaml", ".yml") and path.name[0] != ".")


def load_manifest(path: Path) -> Manifest:
    """One manifest by itself; raises `Problems`."""
    located = load(path)
    manifest = validate(located, Manifest).placed(located.file, _lines(located))
    problems = list(_declared_twice(manifest))
    if problems:
        raise Problems(problems)
    return manifest


def _lines(located: Located) -> dict[str, list[int]]:
    """By key: the line of each entry of a list; `worker`, `provenance` and `valid` have their own."""
    lists = {key: located.data.get(key) or [] for key in LOCATED_LISTS}
    lines = {key: [located.line((key, at)) for at in range(len(entries))] for key, entries in lists.items()}
    single = [key for key in ("worker", "provenance", "valid") if key in located.data]
    return lines | {key: [located.line((key,))] for key in single}


def conflicts(manifests: Sequence[Manifest]) -> list[Problem]:
    """Manifests that cannot stand side by side: one worker twice, one unshared identity of two workers."""
    return [*_same_worker(manifests), *_same_identity(manifests)]


def _same_worker(manifests: Sequence[Manifest]) -> Iterator[Problem]:
    by_worker = groupby(sorted(manifests, key=lambda one: (one.worker, one.file)), key=lambda one: one.worker)
    for worker, group in by_worker:
        first, *others = group
        for other in others:
            said = f"the worker '{worker}' is already declared in {_place(first, 'worker', 0)}"
            yield _problem(other, "worker", 0, said)


def _declared_twice(manifest: Manifest) -> Iterator[Problem]:
    seen: dict[str, int] = {}
    for at, identity in enumerate(manifest.identities):
        if identity.id in seen:
            said = f"'{identity.id}' is already declared in {_place(manifest, 'identities', seen[identity.id])}"
            yield _problem(manifest, "identities", at, said)
        seen.setdefault(identity.id, at)


def _same_identity(manifests: Sequence[Manifest]) -> Iterator[Problem]:
    """Pairs of declarations of two workers that name one identity, unless both say that it is shared."""
    declared = [(one, at, identity) for one in manifests for at, identity in enumerate(one.identities)]
    exact = {identity.id: (one, at, identity) for one, at, identity in reversed(declared)}
    patterns = [entry for entry in declared if is_pattern(entry[2].id)]
    for manifest, at, identity in declared:
        equal = exact[identity.id]
        for other, other_at, wide in [equal, *(entry for entry in patterns if entry[2].id != identity.id)]:
            if other.worker == manifest.worker or (identity.shared and wide.shared) or not _names(wide, identity):
                continue
            place = _place(other, "identities", other_at)
            yield _problem(
                manifest,
                "identities",
                at,
                f"'{identity.id}' belongs to the worker '{other.worker}' too ({place}); an identity has one worker,"
                " unless every manifest that declares it says `shared: true`",
            )


def _names(wide: Identity, narrow: Identity) -> bool:
    return wide.id == narrow.id or covers(wide.id, narrow.id)


def _place(manifest: Manifest, key: str, at: int) -> str:
    return f"{manifest.file}:{manifest.line(key, at)}"


def _problem(manifest: Manifest, key: str, at: int, message: str) -> Problem:
    shown = key if key == "worker" else f"{key}[{at}]"
    return Problem(manifest.file, manifest.line(key, at) or 1, shown, message)
