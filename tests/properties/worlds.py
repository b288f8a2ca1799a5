"""Small worlds: what a handful of workers and people did, as the records that tell of it, in files.

A world is a set of records and of the files that hold them. How its files come in (in which runs, in which
order, a growing file in how many parts, what is told twice) is a schedule: see `schedules`.
"""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from tests.properties import records
from tests.properties.records import Key, Record

ROLES = ("agent", "cleaner", "deploy")
"""Two workers' roles, and one that nobody declares."""
USERS = ("ci", "alice")
"""A worker's user, and a person."""
SECONDS = st.integers(0, 1500)

ISSUE, USE, END = "issue", "use", "end"


@dataclass(frozen=True)
class Told:
    """A record: the source whose log it stands in, its text, and whether it issues, uses or ends a credential."""

    source: str
    text: str
    about: str = USE


@dataclass(frozen=True, repr=False)
class LogFile:
    """A file as it is in the end. A growing one holds a record a line and may come in parts."""

    source: str
    name: str
    content: bytes
    records: int
    growing: bool = False

    def __repr__(self) -> str:
        return f"<{self.source}/{self.name}: {self.records} records{', growing' if self.growing else ''}>"


@dataclass(frozen=True)
class World:
    """Records, and the files that they lie in."""

    told: tuple[Told, ...]
    files: tuple[LogFile, ...]

    @property
    def records(self) -> int:
        return sum(file.records for file in self.files)


@st.composite
def key_rings(draw: st.DrawFn) -> list[tuple[Key, Key | None]]:
    """Keys, each with the key that it was got with, where a record tells of that; the users' own keys come first."""
    ring: list[tuple[Key, Key | None]] = [(Key(f"AKIA{name.upper()}", "user", name), None) for name in USERS]
    for number in range(draw(st.integers(1, 5))):
        parent = draw(st.sampled_from([key for key, _ in ring]))
        kind = draw(st.sampled_from(["role", "role", "role", "token", "user"]))
        if kind == "token" and parent.kind != "user":
            kind = "role"
        owner = {"role": ROLES, "user": USERS, "token": (parent.owner,)}[kind]
        key = Key(
            id=f"{'AKIA' if kind == 'user' else 'ASIA'}{number}",
            kind=kind,
            owner=draw(st.sampled_from(owner)),
            # The caller chooses it: it may be another worker's name.
            session_name=draw(st.sampled_from(["run", "cleaner"])),
            made_at=10 * number + 5,
        )
        ring.append((key, parent if draw(st.booleans()) or kind == "user" else None))
    return ring


_CALLS = (
    ("s3", "GetObject", {"bucketName": "cases", "key": "a.txt"}),
    ("s3", "PutObject", {"bucketName": "cases", "key": "b.txt"}),
    ("s3", "GetObject", {"bucketName": "payroll", "key": "all.csv"}),
    ("secretsmanager", "GetSecretValue", {"secretId": "prod/db"}),
    ("iam", "AttachRolePolicy", {"roleName": "deploy", "policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}),
    ("cloudtrail", "StopLogging", {"name": "main"}),
)


@st.composite
def uses(draw: st.DrawFn, ring: Sequence[tuple[Key, Key | None]]) -> Record:
    """A call with one of the keys."""
    key = draw(st.sampled_from([key for key, _ in ring]))
    service, name, asked = draw(st.sampled_from(_CALLS))
    denied = {"errorCode": "AccessDenied", "errorMessage": "not allowed"} if draw(st.integers(0, 4)) == 0 else {}
    sent = {"additionalEventData": {"bytesTransferredIn": 4_000_000}} if name == "PutObject" else {}
    address = draw(st.sampled_from(["192.0.2.10", "198.51.100.99"]))
    return records.call(
        key, service, name, draw(SECONDS), requestParameters=asked, sourceIPAddress=address, **denied, **sent
    )


@st.composite
def tellings(draw: st.DrawFn, record: Record, about: str, *, conflicts: bool) -> list[Told]:
    """A record as the trails tell of it: once, by two trails, spelled in two ways, with its owner's copy, or changed."""
    text = json.dumps(record)
    told = [Told("trail", text, about)]
    how = draw(st.sampled_from(["once"] * 4 + ["two trails", "respelled", "twins"] + ["conflict"] * conflicts))
    if how == "two trails":
        told.append(Told("second", text, about))
    elif how == "respelled":
        told.append(Told("second", json.dumps(dict(reversed(record.items())), separators=(",", ":")), about))
    elif how == "twins":
        shared = {"sharedEventID": records.event_id("shared", record["eventID"])}
        told = [
            Told("trail", json.dumps(record | shared), about),
            Told("second", json.dumps(records.owners_copy(record | shared)), about),
        ]
    elif how == "conflict":
        told.append(Told("second", json.dumps({**record, "sourceIPAddress": "203.0.113.66"}), about))
    return told


@st.composite
def cloud(draw: st.DrawFn, *, conflicts: bool) -> list[Told]:
    """What CloudTrail tells: keys that are issued, used and ended."""
    ring = draw(key_rings())
    told: list[tuple[Record, str]] = [(records.issuing(parent, key), ISSUE) for key, parent in ring if parent]
    told += [(record, USE) for record in draw(st.lists(uses(ring), min_size=1, max_size=8))]
    for key in [key for key, _ in ring if key.kind == "user"]:
        if draw(st.integers(0, 2)) == 0:
            by = draw(st.sampled_from([key for key, _ in ring]))
            told.append((records.ending(by, key, draw(SECONDS), delete=draw(st.booleans())), END))
    return [one for record, about in told for one in draw(tellings(record, about, conflicts=conflicts))]


_VISITS = (
    ("GET", "http://api.example/x"),
    ("POST", "http://far.invalid/drop?sig=1"),
    ("CONNECT", "api.example:443"),
    ("CONNECT", "far.invalid:443"),
    ("GET", "https://api.example/inner"),
    ("POST", "https://far.invalid/inner"),
)


@st.composite
def lines(draw: st.DrawFn) -> str:
    """A line of the proxy. Seconds are few, so that equal lines and requests inside of tunnels are common."""
    method, url = draw(st.sampled_from(_VISITS))
    user = draw(st.sampled_from(["svc-agent", "svc-cleaner", "svc-pool", "-"]))
    sent = 90_000_000 if (method, user) == ("CONNECT", "svc-pool") else 400
    status = draw(st.sampled_from([200, 200, 200, 403, 407]))
    return records.squid_line(draw(st.integers(0, 4)), user, method, url, status=status, sent=sent)


@st.composite
def proxied(draw: st.DrawFn) -> list[Told]:
    return [Told("egress", line) for line in draw(st.lists(lines(), max_size=8))]


@st.composite
def tokens(draw: st.DrawFn) -> list[Told]:
    """What Okta tells: people's sessions, tokens of the workers' clients, and what ends them."""
    told = []
    for number in range(draw(st.integers(0, 5))):
        second, client = draw(SECONDS), records.okta_client(draw(st.sampled_from(["agent", "stranger"])))
        kind = draw(st.sampled_from(["session", "grant", "revoke", "suspend"]))
        token = records.okta_token(str(draw(st.integers(0, 2))))
        user = records.okta_user(draw(st.sampled_from(USERS)))
        about = {"session": USE, "grant": ISSUE}.get(kind, END)
        event = {
            "session": ("user.session.start", user, ()),
            "grant": ("app.oauth2.token.grant.access_token", client, (token, user)),
            "revoke": ("app.oauth2.token.revoke", client, (token,)),
            "suspend": ("user.lifecycle.suspend", records.okta_user("admin"), (user,)),
        }[kind]
        session = {"session": f"102{user['id']}"} if kind == "session" else {}
        text = json.dumps(records.okta_event(number, event[0], second, event[1], *event[2], **session))
        told += [Told("okta", text, about)] * draw(st.sampled_from([1, 1, 2]))
    return told


@st.composite
def layouts(draw: st.DrawFn, told: Sequence[Told]) -> list[LogFile]:
    """The files of some records: which record lies in which, in which order, and how each file is written."""
    files: dict[tuple[str, int], list[str]] = defaultdict(list)
    for one in draw(st.permutations(told)) if told else []:
        files[one.source, draw(st.integers(0, 2))].append(one.text)
    made = []
    for (source, number), texts in sorted(files.items()):
        shape = "lines" if source == "egress" else draw(st.sampled_from(["lines", "container"]))
        growing = shape == "lines" and draw(st.booleans())
        content = written(source, texts, shape)
        if not growing and draw(st.booleans()):
            content = gzip.compress(content, mtime=0)
        made.append(LogFile(source, f"{number}.log", content, len(texts), growing))
    return made


def written(source: str, texts: Sequence[str], shape: str) -> bytes:
    """Records as the bytes of a file: a line each, or in the container that the source's API gives."""
    if shape == "lines":
        return "".join(f"{text}\n" for text in texts).encode()
    inside = ",".join(texts)
    return (f"[{inside}]" if source == "okta" else f'{{"Records":[{inside}]}}').encode()


@st.composite
def worlds(draw: st.DrawFn, *, conflicts: bool = True) -> World:
    """A world. Without `conflicts` no two records of one id differ in content."""
    told = [*draw(cloud(conflicts=conflicts)), *draw(proxied()), *draw(tokens())]
    return World(tuple(told), tuple(draw(layouts(told))))


def apart(world: World, about: str) -> World:
    """The same records, with those that are `about` one thing (`issue`, `end`) in files of their own, named `late`."""
    files = []
    for source in sorted({one.source for one in world.told}):
        for late in (False, True):
            texts = [one.text for one in world.told if one.source == source and (one.about == about) is late]
            if texts:
                name = "late.log" if late else "rest.log"
                files.append(LogFile(source, name, written(source, texts, "lines"), len(texts)))
    return World(world.told, tuple(files))
