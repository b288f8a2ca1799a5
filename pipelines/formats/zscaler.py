r"""Zscaler Internet Access: the web log as a JSON feed of NSS or Cloud NSS.

Proves: who asked for what, by the service's own sign-in, where the source says `authenticated: true`; what the service
decided; how many bytes went up and down, headers included. Where it inspects TLS, also the path within.

Cannot see: what is inside TLS that it does not inspect (`ssldecrypted`: No); the caller's port and the server's, unless
Zscaler's support has enabled `%d{clt_sport}` and `%d{srv_dport}`; how long a transaction took. A `login` that is no
e-mail address is the name of a location, not of a user. Obfuscated fields (`ologin`, `ocip`, ...) are random strings
and are not read. `cip` may be the address that the caller wrote into `X-Forwarded-For`.

Sources: "NSS Feed Output Format: Web Logs" and "General Guidelines for NSS Feeds" (help.zscaler.com); the feeds that
Elastic, Sumo Logic, Datadog and Microsoft Sentinel document. All values are strings; `None`, `NA` and `N/A` stand for
nothing, `0.0.0.0` for no server. The keys of a feed are its operator's: those of the documented feeds are known, others
are read with the feed's output format in `feed`. `time` has no zone: it is in `tz` if the feed has that, else in the
source's `timezone` (UTC unless given); `epochtime` is taken before it. That the logged time is the end of a transaction
is not documented.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import BinaryIO

import pyarrow as pa
from pydantic import field_validator

from pipelines.formats import http_read, http_secrets, http_sql, one_batch
from pipelines.formats.format import GRANTS_OUT, Format, Options, Secret, Split
from pipelines.formats.splitting import json_values
from pipelines.formats.zone import Zone
from pipelines.identifiers import Sql

KEYS: Mapping[str, tuple[str, ...]] = {
    "time": ("time", "datetime", "TimeGenerated"),
    "tz": ("tz", "timezone"),
    "epochtime": ("epochtime",),
    "login": ("login", "user", "suser", "elogin"),
    "b64login": ("b64login",),
    "host": ("host", "hostname", "dhost", "ehost"),
    "b64host": ("b64host",),
    "url": ("url", "eurl", "request"),
    "b64url": ("b64url",),
    "proto": ("proto", "protocol", "app"),
    "action": ("action", "act"),
    "reason": ("reason",),
    "reqsize": ("reqsize", "requestsize", "out"),
    "respsize": ("respsize", "responsesize", "in"),
    "reqhdrsize": ("reqhdrsize", "reqheadersize"),
    "reqdatasize": ("reqdatasize",),
    "resphdrsize": ("resphdrsize", "respheadersize"),
    "respdatasize": ("respdatasize",),
    "cip": ("cip", "ClientIP", "cltip", "src"),
    "cintip": ("cintip", "clientpublicIP", "cltintip", "sourceTranslatedAddress"),
    "clt_sport": ("clt_sport", "cltsourceport"),
    "srv_dport": ("srv_dport",),
    "sip": ("sip", "serverip", "dst"),
    "reqmethod": ("reqmethod", "requestmethod", "requestMethod"),
    "respcode": ("respcode", "responsecode", "status", "outcome"),
    "ua": ("ua", "useragent", "requestClientApplication"),
    "eua": ("eua",),
    "b64ua": ("b64ua",),
    "ssldecrypted": ("ssldecrypted",),
    "recordid": ("recordid", "event_id", "externalId"),
}
"""NSS fields, and the keys under which the documented feeds write them."""

_SAME = {"elogin": "login", "ehost": "host", "eurl": "url"}
_SPECIFIER = re.compile(r'"([^"\\]+)"\s*:\s*"?%[0-9]*[sdxo]\{(\w+)\}"?')
_HINTS = ("url", "host", "b64url", "b64host")


class ZscalerOptions(Options):
    """`feed` is the output format of the NSS feed, `timezone` the feed's; `authenticated`: it knows its users."""

    feed: str | None = None
    timezone: Zone = "UTC"
    authenticated: bool = False

    @field_validator("feed")
    @classmethod
    def _readable(cls, feed: str | None) -> str | None:
        keys(feed)
        return feed


@lru_cache(maxsize=64)
def keys(feed: str | None) -> Mapping[str, tuple[str, ...]]:
    """The keys of each NSS field: the documented ones, or those of a feed. ValueError where it has none."""
    if feed is None:
        return KEYS
    found: dict[str, tuple[str, ...]] = {}
    for key, field in _SPECIFIER.findall(feed):
        name = _SAME.get(field, field)
        if name in KEYS and "'" not in key:
            found[name] = (*found.get(name, ()), key)
    if not found.keys() & {"time", "epochtime"}:
        raise ValueError('the feed says no time: it has neither "...":"%d{epochtime}" nor "...":"%s{time}"')
    if not found.keys() & set(_HINTS):
        raise ValueError('the feed says no destination: it has no "...":"%s{url}"')
    return found


def split(stream: BinaryIO, at_rest: bool, options: ZscalerOptions) -> Iterator[Split]:  # noqa: ARG001
    """One record an object: one a line, or an array of them."""
    return json_values(stream, at_rest)


def actions(records: pa.Table, options: ZscalerOptions) -> pa.Table:
    """Web log records (RECORDS_IN) as OCSF HTTP Activity (ACTIONS_OUT); times are UTC, sizes bytes."""
    return http_read.actions(records, _fields(options))


def grants(records: pa.Table, options: ZscalerOptions) -> pa.Table:  # noqa: ARG001
    """No rows: a proxy sees credentials used, never made."""
    return GRANTS_OUT.empty_table()


def _fields(options: ZscalerOptions) -> str:
    """SELECT of the fields; a record is the event itself or holds it under `event`. All paths are extracted at once."""
    named = keys(options.feed)
    flat = list(dict.fromkeys(key for each in named.values() for key in each))
    listed = ", ".join(f"'$.\"{key}\"'" for key in flat)

    def values(name: str) -> list[str]:
        return [_known(f"d[{flat.index(key) + 1}]") for key in named.get(name, ())]

    found = {name: f"coalesce({', '.join(values(name))})" if values(name) else "CAST(NULL AS VARCHAR)" for name in KEYS}
    texts = ", ".join(f"{sql} AS {name}" for name, sql in found.items())
    read = f"""(
        SELECT record_id, realm, kind, body IS NULL AS broken, {texts}
        FROM (SELECT record_id, realm, body, json_extract_string(body, '$."sourcetype"') AS kind,
                     json_extract_string(CASE WHEN json_type(body, '$."event"') = 'OBJECT'
                                              THEN json_extract(body, '$."event"') ELSE body END, [{listed}]) AS d
              FROM (SELECT record_id, realm,
                           CASE WHEN json_valid(raw) AND json_type(raw) = 'OBJECT' THEN raw END AS body
                    FROM records))
    )"""
    zone = f"CASE WHEN tz IN ('GMT', 'UTC', 'Z') THEN 'UTC' ELSE coalesce(tz, '{options.timezone}') END"
    names = ", ".join(f"'{name}'" for name in one_batch.zones())
    derived = f"(SELECT *, {_derived()}, {zone} AS zone FROM {read})"
    return http_sql.select(_columns(options), f"(SELECT *, zone IN ({names}) AS zone_known FROM {derived})")


def _known(text: str) -> str:
    return http_sql.known(text, "None", "NA", "N/A", "null")


def _derived() -> str:
    def either(name: str) -> str:
        return f"coalesce({name}, try(decode(from_base64(b64{name}))))"

    return f"""
        {either("url")} AS went_to, {either("host")} AS to_name, {either("login")} AS who,
        coalesce(ua, try(url_decode(eua)), eua, try(decode(from_base64(b64ua)))) AS agent_text,
        upper(CASE WHEN lower(reqmethod) <> 'invalid' THEN reqmethod END) AS verb,
        upper(coalesce(proto, '')) AS protocol
    """


def _columns(options: ZscalerOptions) -> Mapping[str, str]:
    local = """coalesce(try_strptime(time, '%a %b %d %H:%M:%S %Y'), try_strptime(time, '%Y-%m-%d %H:%M:%S'),
        try_strptime(time, '%Y-%m-%dT%H:%M:%S'))"""
    user = "CASE WHEN contains(who, '@') THEN who END"
    scheme = """CASE WHEN contains(protocol, 'HTTPS') OR contains(protocol, 'SSL') THEN 'https'
        WHEN contains(protocol, 'FTP') THEN 'ftp' WHEN protocol LIKE 'HTTP%' THEN 'http' END"""
    inspected = "lower(ssldecrypted) = 'yes'"
    return {
        "native_id": "recordid",
        "micros": f"coalesce({http_sql.seconds('epochtime')},"
        f" epoch_us(CASE WHEN zone_known THEN timezone(zone, {local}) END))",
        "time_kind": "'end'",
        "time_precision": "'1s'",
        "method": "verb",
        "url": f"""CASE WHEN verb = 'CONNECT' OR regexp_matches(went_to, '^[A-Za-z][A-Za-z0-9+.-]*://') THEN went_to
            ELSE coalesce({scheme}, 'x') || '://' || went_to END""",
        "scheme": scheme,
        "host": "to_name",
        "port": "srv_dport",
        "client": "coalesce(cip, cintip)",
        "client_port": "clt_sport",
        "peer": "nullif(sip, '0.0.0.0')",
        "agent": "agent_text",
        "principal": Sql.uid("proxy:user", user, "realm"),
        "principal_type": f"CASE WHEN {user} IS NOT NULL THEN 'user' END",
        "identity_strength": "'proven'" if options.authenticated else "'asserted'",
        "code": "regexp_extract(respcode, '^([0-9]{3})', 1)",
        "refused": "lower(action) LIKE 'block%' OR lower(action) LIKE 'den%'",
        "passed": "lower(action) LIKE 'allow%'",
        "problem": "coalesce(reason, action)",
        "bytes_out": "coalesce(reqsize, CAST(try_cast(reqhdrsize AS HUGEINT) + try_cast(reqdatasize AS HUGEINT)"
        " AS VARCHAR))",
        "bytes_in": "coalesce(respsize, CAST(try_cast(resphdrsize AS HUGEINT) + try_cast(respdatasize AS HUGEINT)"
        " AS VARCHAR))",
        "twin_rank": f"""CASE WHEN verb = 'CONNECT' THEN CASE WHEN {inspected} THEN 1
                 WHEN ssldecrypted IS NULL THEN 2 END WHEN {scheme} = 'https' THEN 0 END""",
        "fault": """CASE WHEN broken THEN 'not a JSON object'
            WHEN kind IS NULL OR kind = 'zscalernss-web' THEN CASE
                WHEN coalesce(time, epochtime) IS NULL THEN 'neither time nor epochtime under a known key;'
                     ' write the output format of the feed into the source'
                WHEN coalesce(went_to, to_name) IS NULL THEN 'neither url nor host under a known key;'
                     ' write the output format of the feed into the source'
                WHEN epochtime IS NULL AND NOT zone_known
                THEN 'the time zone in tz is unknown' END END""",
        "idle": "CASE WHEN kind <> 'zscalernss-web' THEN 'another log of Zscaler than the web log' END",
    }


FORMAT = Format(
    name="zscaler",
    category="proxy",
    observes=(http_sql.ALWAYS - {"duration_ms"}) | {"principal", "principal_type", "identity_strength", "twin_rank"},
    id_scope="realm",
    split=split,
    actions=actions,
    grants=grants,
    options=ZscalerOptions,
    secrets=(
        *http_secrets.URLS,
        # URLs have no scheme here, so that what stands before a host begins its string.
        Secret(r'"(?:e?url|request|referer|ereferer|refererURL|requestContext)"\s*:\s*"[^/\s:@?#"]*:([^/\s?#"@]+)@'),
    ),
)
