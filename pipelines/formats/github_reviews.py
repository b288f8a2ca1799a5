"""Pull-request reviews of GitHub as approvals: bodies of its webhook, or reviews as the REST API lists them.

Proves: that somebody approved a pull request, by GitHub's own word for who it was. Whose act is approved is the pull
request's author (a webhook says who that is), or the source's `worker`. What is approved is `operation` of `service` on
the repository: merging it, as GitHub's audit log calls that, unless the source says otherwise.

Cannot see: that commits were pushed after the review, unless `bind: commit` ties it to the reviewed commit and the
act's log has that commit as its request id. A later dismissal is a refusal of its own and takes nothing back that was
approved before; the REST API gives a dismissed review the time when it was submitted. Comments and reviews not yet
submitted decide nothing and are skipped, and so are edits of a review's text. A review that comes both ways is one.

Sources: "Webhook events and payloads: pull_request_review" and "REST API endpoints for pull request reviews"
(docs.github.com), with GitHub's OpenAPI description of both (states PENDING, COMMENTED, APPROVED, CHANGES_REQUESTED,
DISMISSED; `submitted_at` absent while pending). Apps review and write as users of type `Bot` named `SLUG[bot]`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, BinaryIO, Literal

import pyarrow as pa
from pydantic import Field

from pipelines.formats import one_batch
from pipelines.formats.format import ACTIONS_OUT, GRANTS_OUT, Format, Options, Split, rows
from pipelines.formats.record_sql import id_of, moment, parse, texts, told
from pipelines.formats.splitting import json_values
from pipelines.identifiers import Sql


class ReviewOptions(Options):
    """What an approving review stands for, as the act's own log spells it.

    `worker`: whose act it is (the pull request's author unless given). `bind: commit` ties it to the reviewed commit.
    """

    worker: Annotated[str, Field(min_length=1)] | None = None
    service: Annotated[str, Field(min_length=1)] = "github"
    operation: Annotated[str, Field(min_length=1)] = "pull_request.merge"
    bind: Literal["nothing", "commit"] = "nothing"


_PERSON = texts("id", "login", "type")
_REVIEW = {**texts("id", "state", "submitted_at", "updated_at", "commit_id", "pull_request_url"), "user": _PERSON}
_EVENT = {
    **_REVIEW,
    **texts("action"),
    "review": _REVIEW,
    "pull_request": {**texts("updated_at"), "user": _PERSON},
    "repository": {**texts("full_name"), "owner": texts("login")},
}


def _whose(person: str) -> str:
    """The identity of a GitHub user: an app by its slug, anybody else by the id that is never given twice."""
    slug = f"regexp_extract({person}.login, '^(.+)\\[bot\\]$', 1)"
    return f"""CASE WHEN {person}.type = 'Bot' AND {slug} <> '' THEN {Sql.uid("github:app", slug)}
                    ELSE {Sql.uid("github:user", id_of(f"{person}.id"))} END"""


_IN_URL = r"regexp_extract(r.pull_request_url, '/repos/([^/]+/[^/]+)/pulls/', 1)"

_EVENTS = f"""
    WITH reviews AS (
        SELECT record_id, valid, e, CASE WHEN e.review.id IS NULL AND e.action IS NULL
                   THEN struct_pack(id := e.id, state := e.state, submitted_at := e.submitted_at,
                                    updated_at := e.updated_at, commit_id := e.commit_id,
                                    pull_request_url := e.pull_request_url, "user" := e."user")
                   ELSE e.review END AS r
        FROM parsed
    ),
    read AS (
        SELECT *, lower({id_of("r.state")}) AS state, {id_of("r.id")} AS review_id,
               coalesce(e.action = 'dismissed', false) AS dismissing,
               coalesce({id_of("e.repository.full_name")}, nullif({_IN_URL}, '')) AS repository
        FROM reviews
    ),
    timed AS (
        SELECT *, CASE WHEN dismissing THEN coalesce({moment("r.updated_at")}, {moment("e.pull_request.updated_at")},
                                                     {moment("r.submitted_at")})
                       ELSE {moment("r.submitted_at")} END AS time
        FROM read
    ),
    judged AS (
        SELECT *, CASE WHEN e.action = 'edited' THEN 'an edit of the text of a review'
                       WHEN state = 'pending' THEN 'a review that is not submitted yet'
                       WHEN state = 'commented' THEN 'a comment, which decides nothing' END AS idle
        FROM timed
    )
    SELECT *, idle IS NOT NULL AND valid AS skipped,
           CASE WHEN dismissing OR state = 'dismissed' THEN review_id || '/dismissed' ELSE review_id END AS native_id,
           CASE WHEN NOT valid THEN 'not a JSON object, as a review is'
                WHEN review_id IS NULL THEN 'the key "id" of the review is missing'
                WHEN state IS NULL THEN 'the key "state" of the review is missing'
                WHEN idle IS NOT NULL THEN idle
                WHEN time IS NULL THEN 'the key "submitted_at" of the review is missing or no RFC 3339 time'
                END AS reason
    FROM judged
"""


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _columns(options: ReviewOptions) -> dict[str, str]:
    """Every action column that is filled, as SQL over `events`."""
    return {
        "time": "time",
        "time_kind": "'logged'",
        "time_precision": "'1s'",
        "class_uid": "6003",
        "activity": "'Other'",
        "api_service": _quoted(options.service),
        "api_operation": _quoted(options.operation),
        "principal": _whose("r.user"),
        "principal_type": "CASE WHEN r.user.type = 'Bot' THEN 'app' WHEN r.user.id IS NOT NULL THEN 'user' END",
        "identity_strength": f"CASE WHEN {_whose('r.user')} IS NULL THEN 'asserted' ELSE 'proven' END",
        "session_name": _quoted(options.worker) if options.worker else _whose("e.pull_request.user"),
        "status": """CASE WHEN dismissing OR state IN ('dismissed', 'changes_requested') THEN 'denied'
                          WHEN state = 'approved' THEN 'success' ELSE 'unknown' END""",
        "status_code": "state",
        "resource_type": "'repository'",
        "resource_uid": "repository",
        "account": f"coalesce({id_of('e.repository.owner.login')}, split_part(repository, '/', 1))",
        "request_uid": id_of("r.commit_id") if options.bind == "commit" else "CAST(NULL AS VARCHAR)",
    }


def split(stream: BinaryIO, at_rest: bool, options: ReviewOptions) -> Iterator[Split]:  # noqa: ARG001
    """One record a review or a webhook's body: the API's array, or one a line."""
    return json_values(stream, at_rest)


def actions(records: pa.Table, options: ReviewOptions) -> pa.Table:
    """RECORDS_IN to ACTIONS_OUT: one row a record, as detectors.approvals reads them; times are UTC."""
    with one_batch.connect() as connection:
        parse(connection, records, _EVENT)
        connection.execute(f"CREATE TEMP TABLE events AS {_EVENTS}")
        return rows(connection.execute(told(_columns(options))).to_arrow_table(), ACTIONS_OUT)


def grants(records: pa.Table, options: ReviewOptions) -> pa.Table:  # noqa: ARG001
    """No rows: a review gives rise to no credential."""
    return GRANTS_OUT.empty_table()


FORMAT = Format(
    name="github_reviews",
    category="approval",
    observes=frozenset(_columns(ReviewOptions())),
    id_scope="world",
    split=split,
    actions=actions,
    grants=grants,
    options=ReviewOptions,
)
