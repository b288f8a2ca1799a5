"""Token issuer events written as Okta's System Log API gives them, one JSON object a line, one file a day.

Source: the System Log API reference (LogEvent object) and event types list of Okta's documentation.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import msgspec

from pipelines.worlds.demo.clock import date_of
from pipelines.worlds.demo.events import Json, OktaEvent, Party
from pipelines.worlds.demo.truth import Written

_PLACE = {
    "city": "Berlin",
    "state": "Land Berlin",
    "country": "Germany",
    "postalCode": "10115",
    "geolocation": {"lat": 52.53, "lon": 13.38},
}


def _party(party: Party) -> Json:
    return {
        "id": party.id,
        "type": party.type,
        "alternateId": party.alternate_id,
        "displayName": party.display_name,
        "detailEntry": party.detail,
    }


def record(event: OktaEvent) -> Json:
    """One LogEvent."""
    browser = event.agent.startswith("Mozilla/")
    return {
        "actor": _party(event.actor),
        "client": {
            "userAgent": {
                "rawUserAgent": event.agent,
                "os": "Mac OS X" if browser else "Unknown",
                "browser": "CHROME" if browser else "UNKNOWN",
            },
            "zone": "null",
            "device": "Computer" if browser else "Unknown",
            "id": event.client_id,
            "ipAddress": event.address,
            "geographicalContext": _PLACE,
        },
        "device": None,
        "authenticationContext": {
            "authenticationProvider": None,
            "credentialProvider": None,
            "credentialType": None,
            "issuer": None,
            "interface": None,
            "authenticationStep": 0,
            "externalSessionId": event.session or "unknown",
        },
        "displayMessage": event.message,
        "eventType": event.event_type,
        "outcome": {"result": event.result, "reason": event.reason},
        "published": f"{date_of(event.at):%Y-%m-%dT%H:%M:%S}.{event.at % 1_000:03}Z",
        "securityContext": {"asNumber": 64500, "asOrg": "corp", "isp": "corp", "domain": ".", "isProxy": False},
        "severity": "INFO" if event.result == "SUCCESS" else "WARN",
        "debugContext": {"debugData": {"requestId": event.transaction} | event.debug},
        "legacyEventType": f"{event.event_type}_{event.result.lower()}",
        "transaction": {"type": "WEB", "id": event.transaction, "detail": {}},
        "uuid": event.uuid,
        "version": "0",
        "request": {"ipChain": [{"ip": event.address, "geographicalContext": _PLACE, "version": "V4", "source": None}]},
        "target": [_party(target) for target in event.targets] or None,
    }


def write(folder: Path, root: Path, events: list[OktaEvent]) -> list[Written]:
    """Write `YYYY-MM-DD.jsonl` files by the day of `published`."""
    days: dict[str, list[OktaEvent]] = defaultdict(list)
    for event in sorted(events, key=lambda event: (event.at, event.uuid)):
        days[f"{date_of(event.at):%Y-%m-%d}"].append(event)
    folder.mkdir(parents=True, exist_ok=True)
    encoder = msgspec.json.Encoder()
    written = []
    for day, rows in sorted(days.items()):
        path = folder / f"{day}.jsonl"
        path.write_bytes(encoder.encode_lines([record(event) for event in rows]))
        relative = path.relative_to(root).as_posix()
        written += [
            Written("okta", relative, ordinal, event.uuid, event.at, event.label) for ordinal, event in enumerate(rows)
        ]
    return written
