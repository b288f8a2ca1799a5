"""Envoy's access log formats: command operators in a line of text, or as the values of a JSON object.

Follows "Access logging" of Envoy's documentation: an operator is `%NAME%` or `%NAME(ARGUMENT)%`, with `:LENGTH` behind
it where it is cut. Text is written as it is, quotes of header values too; Envoy refuses requests whose method is no
token or whose authority has other characters than a host (HeaderUtility::requestHeadersValid), so these two end where
they seem to.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from pipelines.formats import http_sql
from pipelines.formats.http_lines import Line, Value, check, literal
from pipelines.formats.http_secrets import SECRET_HEADERS

_REQUEST = '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%"'
_HEADERS = '"%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%"'
_COUNTS = "%BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%"
BUILT_IN = {
    "default": f"{_REQUEST} %RESPONSE_CODE% %RESPONSE_FLAGS% {_COUNTS} {_HEADERS}",
    "istio": f"{_REQUEST} %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS%"
    f' "%UPSTREAM_TRANSPORT_FAILURE_REASON%" {_COUNTS} {_HEADERS} %UPSTREAM_CLUSTER% %UPSTREAM_LOCAL_ADDRESS%'
    " %DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% %REQUESTED_SERVER_NAME% %ROUTE_NAME%",
}
"""Envoy's own format, and the one that Istio sets (since 1.9)."""

KEYS: Mapping[str, tuple[str, ...]] = {
    "start_time": ("start_time",),
    "req(:method)": ("method", ":method"),
    "req(:path)": ("x-envoy-origin-path", "x-envoy-original-path", "path", ":path"),
    "req(:authority)": (":authority", "authority"),
    "req(:scheme)": (":scheme", "scheme"),
    "req(user-agent)": ("user-agent", "user_agent"),
    "req(traceparent)": ("traceparent",),
    "resp(x-amzn-requestid)": ("x-amzn-requestid",),
    "resp(x-amz-request-id)": ("x-amz-request-id",),
    **{
        name: (name,)
        for name in (
            "protocol", "response_code", "response_flags", "response_code_details", "connection_termination_details",
            "bytes_received", "bytes_sent", "duration", "upstream_host", "downstream_remote_address",
            "downstream_direct_remote_address", "requested_server_name", "downstream_peer_uri_san",
            "downstream_peer_fingerprint_256", "downstream_wire_bytes_received", "downstream_wire_bytes_sent",
            "downstream_tls_version",
        )
    },
}  # fmt: skip
"""The keys that Istio and Envoy Gateway write, and operators in lower case, where a source names no keys of its own."""

CRI = r"(?:[0-9]+-[0-9]+-[0-9]+T[0-9:.]+(?:Z|[+-][0-9:]+) std(?:out|err) F )?"
"""What a container runtime puts before a line."""

_NUMBER = r"[0-9]+|-"
_SHAPES = {
    _NUMBER: "response_code bytes_received bytes_sent duration request_duration response_duration response_tx_duration"
    " downstream_wire_bytes_received downstream_wire_bytes_sent downstream_header_bytes_received connection_id"
    " downstream_header_bytes_sent upstream_wire_bytes_received upstream_wire_bytes_sent"
    " upstream_header_bytes_received upstream_header_bytes_sent downstream_remote_port"
    " resp(x-envoy-upstream-service-time)",
    r"[A-Za-z0-9.:+-]+": "start_time",
    r"HTTP/[0-9.]+|-": "protocol",
    r"[A-Za-z,]+|-": "response_flags",
    r"[^\s\"]+": "req(:method) downstream_remote_address downstream_direct_remote_address downstream_local_address"
    " upstream_local_address upstream_host upstream_cluster downstream_remote_address_without_port"
    " downstream_direct_remote_address_without_port downstream_peer_fingerprint_256 downstream_tls_version",
    r"[^\s\"]*": "req(:authority)",
}
_SHAPE = {code: shape for shape, codes in _SHAPES.items() for code in codes.split()}
_OPERATOR = re.compile(r"%(?P<name>[A-Z][A-Z0-9_]*)(?:\((?P<argument>[^()]*)\))?(?::(?P<length>[0-9]+))?%")
_READABLE_TIMES = {None, "%s", "%s.%3f", "%s.%6f", "%s.%9f", "%Y-%m-%dT%H:%M:%S.%3fZ", "%Y-%m-%dT%H:%M:%S%z"}


@lru_cache(maxsize=256)
def compiled(text: str) -> Line:
    """A text format: `default`, `istio`, or a specification.

    Raises ValueError, with the position and what to do, where it cannot be read, says neither when nor where to, or
    writes secrets.
    """
    line = check(text.replace("\\n", " "), "format")
    line = BUILT_IN.get(line, line)
    parts: list[str | Value] = []
    at = 0
    for operator in _OPERATOR.finditer(line):
        parts += literal(line[at : operator.start()])
        at = operator.end()
        quoted = line.count('"', 0, operator.start()) % 2 == 1
        parts.append(_value(_code(operator, f"format, position {operator.start() + 1}"), quoted))
    parts += literal(line[at:])
    result = Line(line, tuple(parts), CRI)
    _complete({value.code for value in result.values}, "format")
    return result


def keys(template: Mapping[str, object] | None) -> Mapping[str, tuple[str, ...]]:
    """The JSON paths of each operator: of KEYS, or of a `json_format` whose values are single operators."""
    found: dict[str, tuple[str, ...]] = {}
    if template is None:
        return {code: tuple(_path((name,)) for name in names) for code, names in KEYS.items()}
    for place, value in _leaves((), template):
        operator = _OPERATOR.fullmatch(value.strip())
        if operator is not None:
            code = _code(operator, f"json_format, {'.'.join(place)}")
            found[code] = (*found.get(code, ()), _path(place))
    _complete(set(found), "json_format")
    return found


def _leaves(place: tuple[str, ...], value: object) -> list[tuple[tuple[str, ...], str]]:
    if isinstance(value, Mapping):
        return [leaf for key, inner in value.items() for leaf in _leaves((*place, str(key)), inner)]
    return [(place, value)] if isinstance(value, str) else []


def _path(place: tuple[str, ...]) -> str:
    if any(set(key) & set("\"\\'") for key in place):
        raise ValueError(f"json_format: a key with quotes or a backslash cannot be read: {'.'.join(place)!r}")
    return "$" + "".join(f'."{key}"' for key in place)


def _code(operator: re.Match[str], where: str) -> str:
    """The name that an operator is looked up by: in lower case, of `A?B` the last, a JWT's claim as `jwt(x)`."""
    name, argument = operator["name"].lower(), operator["argument"]
    if name == "start_time":
        if argument not in _READABLE_TIMES:
            raise ValueError(f"{where}: %START_TIME({argument})% cannot be read; use %START_TIME% or (%s.%3f)")
        return name
    if name in {"req", "resp", "trailer"}:
        header = (argument or "").lower().rpartition("?")[2]
        if set((argument or "").lower().split("?")) & SECRET_HEADERS:
            raise ValueError(f"{where}: {operator[0]} writes secrets into the log; take it out of the proxy's format")
        if operator["length"] and header in {":path", ":authority"}:
            raise ValueError(f"{where}: {operator[0]} cuts off where the request went; leave the length out")
        return f"{name}({header})"
    if name == "dynamic_metadata" and argument:
        space, *path = argument.split(":")
        if space == "envoy.filters.http.jwt_authn" and path and path[-1] in {"iss", "sub", "jti"}:
            return f"jwt({path[-1]})"
    return f"{name}({argument})" if argument and name != "downstream_peer_uri_san" else name


def _complete(codes: set[str], what: str) -> None:
    if "start_time" not in codes:
        raise ValueError(f"the {what} says no time; add %START_TIME%")
    if not codes & {"req(:path)", "req(:authority)", "upstream_host", "requested_server_name"}:
        raise ValueError(f"the {what} says no destination; add %REQ(:AUTHORITY)% and %REQ(:PATH)%")


def _value(code: str, quoted: bool) -> Value:
    if code in _SHAPE:
        return Value(code, _SHAPE[code], read=_read)
    if code == "req(:path)":
        # HTTP/1 has no spaces in a path, HTTP/2 might; one without is tried first.
        return Value(code, r"[^\s]*|.*?", r"[^\s\"]*", _read, quoted=True)
    if quoted:
        return Value(code, ".*?", r'[^"]*', _read, quoted=True)
    return Value(code, ".*?", r"[^\s\"]*", _read)


def _read(text: str) -> str:
    return http_sql.known(f"trim({text}, '\"')")
