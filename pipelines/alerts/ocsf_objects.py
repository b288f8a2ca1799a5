"""The OCSF objects that a Detection Finding is put together from, each text in them bounded.

Source: schema.ocsf.io 1.8.0. Where nothing is known an attribute is null; the finding leaves nulls out.
"""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from pipelines import identifiers
from pipelines.alerts.text import bounded

Json = dict[str, Any]
ATTACK_VERSION = "19"
ID, UID, NAME, LINE, TAG = 100, 300, 600, 600, 64
"""The most bytes of JSON that a text of each kind may take."""
_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?")


def epoch_ms(time: datetime | None) -> int | None:
    """Milliseconds since 1970 of a naive UTC time, as OCSF's `timestamp_t` wants them."""
    return None if time is None else (time - datetime(1970, 1, 1)) // timedelta(milliseconds=1)


def rfc3339(time: datetime | None) -> str | None:
    """A naive UTC time as RFC 3339 text with milliseconds."""
    return None if time is None else time.isoformat(timespec="milliseconds") + "Z"


def attack(text: str) -> Json | None:
    """`attack.t1078.004` is technique T1078 with sub-technique T1078.004; other tags are no technique."""
    family, _, rest = text.partition(".")
    full = rest.upper()
    if family != "attack" or not full.startswith("T") or not full[1:5].isdigit():
        return None
    technique, _, sub = full.partition(".")
    return {
        "technique": {"uid": technique},
        "sub_technique": {"uid": full} if sub else None,
        "version": ATTACK_VERSION,
    }


def tag(text: str) -> Json:
    """`owasp.asi03` is the tag `owasp` with the value `asi03`."""
    family, _, value = text.partition(".")
    return {"name": family, "value": value}


def resources(entity: str | None) -> list[Json]:
    """What an analyst would fix, with the kind of its identifier where it is one of ours."""
    if not entity:
        return []
    kind = identifiers.kind_of(entity)
    return [{"uid": name(entity), "type": identifier(kind) if ":" in kind and kind != entity else None}]


def observables(finding: Mapping[str, Any]) -> list[Json]:
    """The two names that an analyst pivots on. Type ids: 31 is a user's uid, 10 a resource's."""
    found = (
        ("evidences[0].actor.user.uid", 31, finding["principal"]),
        ("resources[0].uid", 10, finding["entity"]),
    )
    return [{"name": where, "type_id": kind, "value": name(value)} for where, kind, value in found if value]


def evidences(finding: Mapping[str, Any], actions: Sequence[Mapping[str, Any]], count: int) -> list[Json]:
    """First who did it to what, then the first actions that show it."""
    overall = {
        "name": "workertrail.finding",
        "actor": _actor(finding["worker"], finding["principal"]),
        "resources": resources(finding["entity"]),
        "data": {"actions": count},
    }
    return [overall, *(_evidence(action) for action in actions)]


def _evidence(action: Mapping[str, Any]) -> Json:
    get = action.get
    operation, path = get("api_operation"), get("url_path")
    return {
        "name": "workertrail.action",
        "uid": uid(get("action_uid")),
        "actor": _actor(None, get("principal")),
        "api": {"operation": identifier(operation), "service": {"name": identifier(get("api_service"))}}
        if operation
        else None,
        "src_endpoint": _endpoint(None, get("src_ip"), None),
        "dst_endpoint": _endpoint(get("dst_host"), get("dst_ip"), get("dst_port")),
        "url": {"path": bounded(str(path).partition("?")[0], 200)} if path else None,
        "resources": [{"uid": bounded(str(get("resource_uid")), UID)}] if get("resource_uid") else None,
        "data": {
            "time": _time_text(get("time")),
            "status": identifier(get("status")),
            "http_method": identifier(get("http_method")),
            "credential_uid": uid(get("credential_uid")),
            "bytes_out": get("bytes_out") if isinstance(get("bytes_out"), int) else None,
        },
    }


def _time_text(value: Any) -> str | None:
    """A frozen action's time, which is JSON text by now, as RFC 3339."""
    try:
        return rfc3339(
            value if isinstance(value, datetime) else datetime.fromisoformat(str(value)).replace(tzinfo=None)
        )
    except ValueError:
        return None


def _endpoint(host: Any, address: Any, port: Any) -> Json | None:
    """An endpoint; what is no host name or address by OCSF's rules goes into its free-text `name`."""
    if not host and not address:
        return None
    is_host = isinstance(host, str) and _HOST.fullmatch(host) is not None
    is_address = isinstance(address, str) and _is_ip(address)
    return {
        "hostname": identifier(host) if is_host else None,
        "ip": address if is_address else None,
        "name": " ".join(
            part
            for part in (None if is_host else identifier(host), None if is_address else identifier(address))
            if part
        ),
        "port": port if isinstance(port, int) and 0 <= port <= 65535 else None,
    }


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _actor(worker: str | None, principal: Any) -> Json | None:
    if not worker and not principal:
        return None
    return {
        "app_name": name(worker),
        "app_uid": _worker_uid(worker),
        "user": {"uid": name(principal)} if principal else None,
    }


def _worker_uid(worker: str | None) -> str | None:
    return name(identifiers.uid("worker:id", worker)) if worker else None


def ai_agent(finding: Mapping[str, Any]) -> Json | None:
    """OCSF's word for a worker: its charter is the manifest in force, its instance the chain (one run)."""
    if not finding["worker"]:
        return None
    sha = identifier(finding["manifest_sha"])
    charter = {"name": "manifest", "type_id": 1, "hashes": [{"algorithm_id": 3, "algorithm": "SHA-256", "value": sha}]}
    return {
        "uid": _worker_uid(finding["worker"]),
        "name": name(finding["worker"]),
        "instance_uid": identifier(finding["chain_id"]),
        "charter": charter if sha else None,
    }


def delegation(attribution: Json) -> Json | None:
    """On whose behalf the worker acted, and how sure that is."""
    if attribution["delegator"] is None:
        return None
    return {"delegator": attribution["delegator"], "strength": attribution["delegator_strength"]}


def chain(row: Mapping[str, Any] | None, systems: int) -> Json | None:
    """A row of chains, with at most so many systems."""
    if row is None:
        return None
    return {
        "root_uid": name(row.get("root_uid")),
        "started_at": rfc3339(row.get("started_at")),
        "ended_at": rfc3339(row.get("ended_at")),
        "systems": [identifier(system) for system in (row.get("systems") or ())[:systems]],
        **{key: row.get(key) for key in ("actions", "hops", "bytes_out")},
    }


def hop(step: Mapping[str, Any]) -> Json:
    """A hop of the path, each of its texts bounded."""
    return {key: bounded(str(value), 200) for key, value in step.items() if value is not None}


def name(value: Any) -> str | None:
    """A longer text that identifies something; null for what is no text."""
    return bounded(value, NAME) if isinstance(value, str) and value else None


def identifier(value: Any) -> str | None:
    """A short text of any value; null for none."""
    return None if value is None or value == "" else bounded(str(value), ID)


def uid(value: Any) -> str | None:
    """An action's, credential's or resource's own id, which is to be found again; null for none."""
    return bounded(value, UID) if isinstance(value, str) and value else None


def whole(value: Any) -> int:
    """A whole number, or 0 for anything else."""
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def number(value: float | None) -> float | None:
    """A finite number; JSON has no others."""
    return value if value is not None and math.isfinite(value) else None
