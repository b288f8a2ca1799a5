"""Coverage of what cannot be judged: what the manifest says, what the logs show, and the rows that follow."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from detectors import provided
from detectors.cases import Case
from detectors.manifest_tables import BEGINNING, END
from detectors.unjudged import unjudged
from pipelines import schema
from pipelines.lake.duckdb_engine import DuckDBEngine

SCHEMAS = provided.schemas(schema.arrow_schemas())
ROLE = "aws:role/arn:aws:iam::111122223333:role/w1"
KEY = "aws:key/ASIA1"
SUBJECT = "oidc:subject/token.actions.githubusercontent.com#repo:corp/agents:ref:refs/heads/main"
NAMED = "oidc:subject/token.actions.githubusercontent.com#repo:corp/agents:workflow_ref:corp/agents/deploy.yml"
MOVED = datetime(2026, 3, 2, 12)
LAST = {"valid_from": BEGINNING, "valid_to": END, "file": "w1.yaml", "mode": "own"}


def missing(*, current: tuple[str, ...] = ("sha-1",), versions: Any = (LAST,), **tables: Any) -> list[str]:
    engine = DuckDBEngine(duckdb.connect())
    case = Case(name="unjudged", expected=(), manifest_versions=versions, **tables)
    for name, table in case.tables(SCHEMAS).items():
        engine.let(name, table)
    engine.let("current_manifests", pa.table({"manifest_sha": pa.array(current, pa.string())}))
    rows = unjudged(engine).to_pylist()
    assert {row["worker"] for row in rows} <= {"w1"}
    return [row["missing"] for row in rows]


def way(*names: str, mechanism: str = "AssumeRoleWithWebIdentity") -> dict[str, Any]:
    """A binding of w1 whose first name was issued by the second, and so on."""
    hops = [
        {"from": child, "to": parent, "mechanism": mechanism, "evidence": "e", "strength": "proven"}
        for child, parent in pairwise(names)
    ]
    return {"uid": names[0], "worker": "w1", "root_uid": names[-1], "path": hops}


APPROVAL = {"service": ["*"], "approvers": ["*"], "line": 7}
NO_APPROVALS = "approvals (w1.yaml:7) cannot be judged: no source of approvals is configured"
NO_REPO = (
    "provenance.repo (w1.yaml:9) cannot be judged: no credential of the worker goes back to a subject that names"
    " a repository"
)
NO_WORKFLOW = NO_REPO.replace(".repo", ".workflow").replace("a repository", "a workflow")
NO_ISSUER = "instantiators (w1.yaml:4) cannot be judged: no record shows who issued a credential to the worker"
NO_DELEGATOR = "delegators (w1.yaml:5) cannot be judged: no log shows on whose behalf the worker acts"
NO_CHAIN = "may_start (w1.yaml:6) cannot be judged: no chain of the worker is known, so none could lead on from it"

EXAMPLES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "a manifest that says nothing of the kind": ({}, []),
    # approvals
    "approvals without a log of them": ({"approval_lines": [APPROVAL], "sources": [{"source": "t"}]}, [NO_APPROVALS]),
    "approvals with one, quiet or not": (
        {"approval_lines": [APPROVAL], "sources": [{"source": "t", "category": "approval"}]},
        [],
    ),
    # provenance
    "provenance that no subject shows": (
        {"provenance": [{"repo": "corp/agents", "workflow": "deploy.yml", "file": "w1.yaml", "line": 9}]},
        [NO_REPO, NO_WORKFLOW],
    ),
    "a subject shows the repository and the branch, not the workflow": (
        {
            "provenance": [{"repo": "corp/agents", "workflow": "deploy.yml", "file": "w1.yaml", "line": 9}],
            "bindings": [way(KEY, SUBJECT)],
        },
        [NO_WORKFLOW],
    ),
    "a subject that shows the workflow": (
        {"provenance": [{"workflow": "deploy.yml", "line": 9}], "bindings": [way(KEY, NAMED)]},
        [],
    ),
    "a subject of another worker shows nothing of this one": (
        {
            "provenance": [{"workflow": "deploy.yml", "file": "w1.yaml", "line": 9}],
            "bindings": [{**way(KEY, NAMED), "worker": "w2"}],
        },
        [NO_WORKFLOW],
    ),
    # instantiators
    "nothing shows who started it": ({"instantiators": [{"pattern": "*", "line": 4}]}, [NO_ISSUER]),
    "only its own role is above it": (
        {"instantiators": [{"pattern": "*", "line": 4}], "bindings": [way(KEY, ROLE), way(ROLE)]},
        [NO_ISSUER],
    ),
    "that it acts as somebody is no issuing record": (
        {"instantiators": [{"pattern": "*", "line": 4}], "bindings": [way(KEY, SUBJECT, mechanism="acts as")]},
        [NO_ISSUER],
    ),
    "a record shows the issuer": (
        {"instantiators": [{"pattern": "*", "line": 4}], "bindings": [way(KEY, ROLE, SUBJECT), way(ROLE)]},
        [],
    ),
    "the issuer was another's when it issued, and is the worker's own now": (
        {
            "instantiators": [{"pattern": "*", "line": 4}],
            "bindings": [
                {**way(KEY, SUBJECT), "valid_to": MOVED},
                {**way(SUBJECT), "worker": "w2", "valid_to": MOVED},
                {**way(SUBJECT), "valid_from": MOVED},
            ],
        },
        [],
    ),
    # delegators
    "no log shows a delegator": (
        {"delegators": [{"pattern": "mail:addr/*", "line": 5}], "actions": [{}]},
        [NO_DELEGATOR],
    ),
    "delegators of another kind than the patterns": (
        {
            "delegators": [{"pattern": "mail:addr/*", "line": 5}],
            "actions": [{"delegator": "okta:user/corp/1"}, {"delegator": "aws:principal/2"}],
        },
        [
            "delegators (w1.yaml:5) cannot be judged: the logs name those on whose behalf it acts in another way"
            " (aws:principal, okta:user)"
        ],
    ),
    "one of the kind is enough": (
        {
            "delegators": [{"pattern": "mail:addr/*", "line": 5}],
            "actions": [{}, {"delegator": "mail:addr/a@b.example"}],
        },
        [],
    ),
    "a pattern of every kind": (
        {"delegators": [{"pattern": "*", "line": 5}], "actions": [{"delegator": "okta:user/corp/1"}]},
        [],
    ),
    # may_start
    "no chain leads on from it": ({"may_start": [{"starts": "w2", "line": 6}]}, [NO_CHAIN]),
    "a chain of its own": ({"may_start": [{"starts": "w2", "line": 6}], "chains": [{"chain_id": "c"}]}, []),
    "only chains of others": (
        {"may_start": [{"starts": "w2", "line": 6}], "chains": [{"chain_id": "c", "worker": "w2"}]},
        [NO_CHAIN],
    ),
    # what only an older version says
    "a version that is no longer in force": ({"approval_lines": [{**APPROVAL, "manifest_sha": "sha-0"}]}, []),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_rows(name: str) -> None:
    tables, expected = EXAMPLES[name]
    assert missing(**tables) == expected


DELEGATED = ({**LAST, "mode": "delegated"},)


def test_a_delegated_worker_of_whom_no_log_shows_for_whom_it_acts() -> None:
    assert missing(versions=DELEGATED, actions=[{}]) == [
        "mode: delegated (w1.yaml) cannot be judged: no log shows on whose behalf the worker acts"
    ]
    assert missing(versions=DELEGATED, actions=[{"delegator": "mail:addr/a@b.example"}]) == []
    token = {"category": "token", "obtains": "self", "principal": "oauth:client/corp#1"}
    assert missing(versions=DELEGATED, actions=[token]) == []


def test_a_manifest_that_was_taken_away() -> None:
    assert missing(current=("sha-2",)) == [
        "the manifest (w1.yaml) is no longer in the folder of manifests: its last version stays in force;"
        " put it back, and retire a worker with valid: {until: ...} or revoked_at"
    ]
    changed_later = ({**LAST, "valid_to": END}, {**LAST, "manifest_sha": "sha-2", "valid_from": END, "valid_to": END})
    assert missing(current=("sha-2",), versions=changed_later) == []
