"""Which logs Sigma rules are judged on, and where each log has the fields that rules name.

A JSON log: a field is a path in the record, dots between names; only its first name is checked, since what
lies below depends on the service. A proxy's log: a field is a column of the action, by the names of Sigma's
taxonomy (https://github.com/SigmaHQ/sigma-specification, appendix taxonomy; they come from W3C's extended
log format). Field names of CloudTrail: AWS User Guide, "CloudTrail record contents"; of Okta: "System Log
API", LogEvent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches


@dataclass(frozen=True)
class Column:
    """A field that is made of action columns and the record's text: SQL, of a text or (`is_list`) a list of texts."""

    sql: str
    is_list: bool = False


@dataclass(frozen=True)
class Log:
    """A log that rules can be about: `where` picks its actions from `attributed` (alias `a`).

    `names` are the first names that a JSON record can have (none: any), `inner` dotted names below them of
    which other spellings are known, `columns` the fields of a log that is no JSON, `absent` fields that
    Sigma knows and this log cannot have, with the reason. `text` is SQL that makes a JSON record of `raw`;
    `reads` are the action columns that `columns` are made of.
    """

    name: str
    where: str
    product: str | None = None
    service: str | None = None
    category: str | None = None
    names: tuple[str, ...] = ()
    inner: tuple[str, ...] = ()
    text: str = "raw"
    columns: Mapping[str, Column] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)
    reads: tuple[str, ...] = ()

    @property
    def is_json(self) -> bool:
        return not self.columns

    def resolve(self, name: str) -> str:
        """The log's own spelling of a field; raises ValueError, saying what is near, for one that it cannot have."""
        if not _READABLE.fullmatch(name):
            raise ValueError(f"the field name {name!r} has characters that no field of a log has")
        if not all(part.strip() for part in name.split(".")):
            raise ValueError(f"the field name {name!r} has an empty part between its dots")
        if not self.is_json:
            return self._column(name)
        spelled = _spelling(name, self.inner)
        first, dot, rest = (spelled or name).partition(".")
        known = _spelling(first, self.names)
        if self.names and known is None:
            raise ValueError(self._unknown(first, self.names))
        return f"{known or first}{dot}{rest}"

    def _column(self, name: str) -> str:
        if name.lower() in self.absent:
            raise ValueError(f"the field '{name}' cannot be seen in a log of {self.name}: {self.absent[name.lower()]}")
        known = _spelling(name, tuple(self.columns))
        if known is None:
            raise ValueError(self._unknown(name, tuple(self.columns)))
        return known

    def _unknown(self, name: str, known: tuple[str, ...]) -> str:
        near = get_close_matches(name, known, n=3, cutoff=0.6)
        hint = f"did you mean {' or '.join(near)}?" if near else f"it has {', '.join(sorted(known))}"
        return f"a record of {self.name} has no field '{name}'; {hint}"


_READABLE = re.compile(r"[\w@:$/#(){} .-]{1,300}")


def _spelling(name: str, known: tuple[str, ...]) -> str | None:
    """The one of `known` that `name` is but for its case."""
    return next((one for one in known if one.lower() == name.lower()), None)


_OKTA_INNER = (
    "actor.alternateId", "actor.detailEntry", "actor.displayName", "actor.id", "actor.type",
    "authenticationContext.authenticationProvider", "authenticationContext.authenticationStep",
    "authenticationContext.credentialProvider", "authenticationContext.credentialType",
    "authenticationContext.externalSessionId", "authenticationContext.interface", "authenticationContext.issuer",
    "client.device", "client.geographicalContext.city", "client.geographicalContext.country",
    "client.geographicalContext.state", "client.id", "client.ipAddress", "client.userAgent.browser",
    "client.userAgent.os", "client.userAgent.rawUserAgent", "client.zone", "debugContext.debugData",
    "debugContext.debugData.behaviors", "debugContext.debugData.logOnlySecurityData",
    "debugContext.debugData.requestUri", "debugContext.debugData.risk", "debugContext.debugData.url",
    "outcome.reason", "outcome.result", "securityContext.asNumber", "securityContext.asOrg", "securityContext.domain",
    "securityContext.isProxy", "securityContext.isp", "target.alternateId", "target.detailEntry",
    "target.displayName", "target.id", "target.type", "transaction.detail", "transaction.id", "transaction.type",
)  # fmt: skip
_OKTA_NAMES = (
    "actor", "authenticationContext", "client", "debugContext", "device", "displayMessage", "eventType",
    "legacyEventType", "outcome", "published", "request", "securityContext", "severity", "target", "transaction",
    "uuid", "version",
)  # fmt: skip


def _okta_text() -> str:
    """SQL: records of collectors that write keys in lower case, spelled as Okta spells them."""
    words = {part for name in (*_OKTA_NAMES, *_OKTA_INNER) for part in name.split(".") if part != part.lower()}
    spelled = "raw"
    for word in sorted(words):
        spelled = f"""replace({spelled}, '"{word.lower()}"', '"{word}"')"""
    return f"""CASE WHEN contains(raw, '"eventtype"') THEN {spelled} ELSE raw END"""


_CLOUDTRAIL_TEXT = """CASE
    WHEN (contains(raw, '"CloudTrailEvent"') OR contains(raw, '"detail-type"')) AND json_valid(raw)
    THEN coalesce(json_extract_string(raw, '$.CloudTrailEvent'),
                  CASE WHEN json_exists(raw, '$."detail-type"') THEN CAST(json_extract(raw, '$.detail') AS VARCHAR) END,
                  raw) ELSE raw END"""
"""SQL: the record out of the containers that it comes in (an EventBridge event, an entry of LookupEvents)."""

_URLS = r"regexp_extract_all(raw, '[A-Za-z][A-Za-z0-9+.-]*://[^\s\"<>]+')"
_URL = f"""coalesce(
    list_filter({_URLS}, lambda u: contains(u, '://' || dst_host) AND contains(u, coalesce(url_path, '')))[1],
    CASE WHEN http_method = 'CONNECT' THEN dst_host || ':' || coalesce(CAST(dst_port AS VARCHAR), '443')
         WHEN dst_port = 443 THEN 'https://' || dst_host || coalesce(url_path, '/')
         WHEN dst_port = 80 OR dst_port IS NULL THEN 'http://' || dst_host || coalesce(url_path, '/')
         ELSE 'http://' || dst_host || ':' || CAST(dst_port AS VARCHAR) || coalesce(url_path, '/') END)"""
"""SQL: the request's URL as the proxy wrote it, query and all; else as the action's columns give it."""

_QUERY = rf"nullif(regexp_extract({_URL}, '\?([^#]*)', 1), '')"
# Rules write a URI as the whole URL and as its path alone; either may match.
_URI = Column(
    f"list_filter([{_URL}, url_path || coalesce('?' || {_QUERY}, '')], lambda u: u IS NOT NULL)", is_list=True
)
_AGENT = Column("user_agent")
_HOST = Column("dst_host")

_PROXY_COLUMNS = {
    "c-uri": _URI,
    "cs-uri": _URI,
    "c-uri-stem": Column("url_path"),
    "cs-uri-stem": Column("url_path"),
    "c-uri-query": Column(_QUERY),
    "cs-uri-query": Column(_QUERY),
    "c-uri-extension": Column(r"nullif(regexp_extract(url_path, '\.([A-Za-z0-9_]{1,20})$', 1), '')"),
    "c-useragent": _AGENT,
    "cs-user-agent": _AGENT,
    "cs(user-agent)": _AGENT,
    "cs-method": Column("http_method"),
    "cs-host": _HOST,
    "r-dns": _HOST,
    "c-ip": Column("src_ip"),
    "src_ip": Column("src_ip"),
    "r-ip": Column("dst_ip"),
    "dst_ip": Column("dst_ip"),
    "r-port": Column("CAST(dst_port AS VARCHAR)"),
    "dst_port": Column("CAST(dst_port AS VARCHAR)"),
    "sc-status": Column("status_code"),
    "cs-bytes": Column("CAST(bytes_out AS VARCHAR)"),
    "sc-bytes": Column("CAST(bytes_in AS VARCHAR)"),
    "cs-username": Column("nullif(regexp_extract(principal, '^proxy:user/[^/]*/(.*)$', 1), '')"),
}

_NO_HEADER = "this header is in no column of an action"

LOGS = (
    Log(
        name="cloudtrail",
        where="a.format = 'cloudtrail'",
        product="aws",
        service="cloudtrail",
        names=(
            "addendum", "additionalEventData", "apiVersion", "awsRegion", "edgeDeviceDetails", "errorCode",
            "errorMessage", "eventCategory", "eventContext", "eventID", "eventName", "eventSource", "eventTime",
            "eventType", "eventVersion", "insightDetails", "managementEvent", "readOnly", "recipientAccountId",
            "requestID", "requestParameters", "resources", "responseElements", "serviceEventDetails",
            "sessionCredentialFromConsole", "sharedEventID", "sourceIPAddress", "tlsDetails", "userAgent",
            "userIdentity", "vpcEndpointAccountId", "vpcEndpointId",
        ),
        text=_CLOUDTRAIL_TEXT,
    ),
    Log(
        name="okta",
        where="a.format = 'okta'",
        product="okta",
        service="okta",
        names=_OKTA_NAMES,
        inner=_OKTA_INNER,
        text=_okta_text(),
    ),
    Log(
        name="proxy",
        where="a.category = 'proxy'",
        category="proxy",
        columns=_PROXY_COLUMNS,
        absent={
            "cs-cookie": _NO_HEADER,
            "cs-referrer": _NO_HEADER,
            "cs-referer": _NO_HEADER,
            "cs-version": "the HTTP version is in no column of an action",
        },
        reads=(
            "http_method", "dst_host", "dst_port", "dst_ip", "url_path", "src_ip", "user_agent", "status_code",
            "bytes_out", "bytes_in", "principal",
        ),
    ),
)  # fmt: skip


def log_of(product: str | None, service: str | None, category: str | None) -> Log:
    """The log that a rule's `logsource` means; raises ValueError where it means none that is read here."""
    for one in LOGS:
        if (one.product, one.service, one.category) == (product, service, category):
            return one
    known = "; ".join(_source(one.product, one.service, one.category) for one in LOGS)
    raise ValueError(f"no log that is read here is '{_source(product, service, category)}'; there are '{known}'")


def _source(product: str | None, service: str | None, category: str | None) -> str:
    parts = {"product": product, "service": service, "category": category}
    return ", ".join(f"{key}: {value}" for key, value in parts.items() if value)
