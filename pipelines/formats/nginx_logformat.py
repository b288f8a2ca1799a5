"""nginx's `log_format` lines, compiled to a pattern.

Follows ngx_http_log_module (https://nginx.org/en/docs/http/ngx_http_log_module.html): a variable is `$name` or
`${name}`; `escape=default` writes `"`, backslash and bytes outside of 32 to 126 as `\\xXX`, `escape=json` as JSON does,
`escape=none` nothing. A missing value is `-`, with `escape=json` it is empty.
"""

from __future__ import annotations

import re
from functools import lru_cache

from pipelines.formats import http_sql
from pipelines.formats.http_lines import Line, Value, check, literal
from pipelines.formats.http_secrets import SECRET_HEADERS, TOKEN_NAMES

BUILT_IN = {
    "combined": '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer"'
    ' "$http_user_agent"',
    "main": '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer"'
    ' "$http_user_agent" "$http_x_forwarded_for"',
}
"""The format that nginx defines itself, and the one that its packages' configuration does."""

_NUMBER = r"-?[0-9]+|-|"
_DECIMAL = r"[0-9]+(?:\.[0-9]+)?|-|"
_PLACE = r"[0-9A-Fa-f.:\[\]]+|unix:\S*|-|"
_PLACES = rf"(?:{_PLACE}\S+?)(?:(?:, | : )\S+?)*"
_LOCAL = r"[0-9]{2}/[A-Za-z]{3}/[0-9]{4}:[0-9]{2}:[0-9]{2}:[0-9]{2} [+-][0-9]{4}"
_WORD = r"\S*"
_SHAPES = {
    _NUMBER: "status bytes_sent body_bytes_sent request_length remote_port server_port proxy_protocol_port"
    " realip_remote_port connection connection_requests pid content_length https",
    _DECIMAL: "request_time msec",
    _PLACE: "remote_addr realip_remote_addr server_addr proxy_protocol_addr",
    _PLACES: "upstream_addr upstream_status upstream_response_time upstream_connect_time upstream_header_time"
    " upstream_bytes_sent upstream_bytes_received upstream_response_length",
    _LOCAL: "time_local",
    r"[0-9-]{10}T[0-9:]{8}(?:Z|[+-][0-9:]{5,6})": "time_iso8601",
    r"[A-Za-z]*|-": "scheme request_method ssl_client_verify",
    r"[0-9a-f]{32}|-|": "request_id",
    _WORD: "uri document_uri request_uri args query_string host http_host server_name server_protocol ssl_server_name"
    " ssl_protocol ssl_cipher ssl_session_id pipe hostname proxy_host sent_http_content_type content_type",
}
_SHAPE = {name: shape for shape, names in _SHAPES.items() for name in names.split()}

_SECRET = re.compile(
    rf"^(?:(?:sent_|upstream_)?http_(?:{'|'.join(name.replace('-', '_') for name in sorted(SECRET_HEADERS))})"
    rf"|cookie_\w+|arg_(?:{TOKEN_NAMES})|ssl_(?:session_id|client_raw_cert))$",
    re.IGNORECASE,
)
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_TIMES = ("time_local", "msec", "time_iso8601")
_PLACES_OF_REQUESTS = ("request", "request_uri", "uri", "document_uri", "host", "http_host")


@lru_cache(maxsize=256)
def compiled(text: str | None) -> Line:
    """The log_format of a source: `combined` where it is null, a built-in name, or a specification.

    Raises ValueError, with the position in the line and what to do, where the line cannot be read, says neither when
    nor where to, or writes secrets.
    """
    line = check("combined" if text is None else text, "log_format")
    # People paste the whole directive of nginx.conf, its strings parted by space.
    line = re.sub(r"^log_format\s+\S+\s+", "", line).rstrip(";").strip()
    escape = "default"
    if given := re.match(r"escape=(default|json|none)\s+", line):
        escape, line = given[1], line[given.end() :]
    if re.match(r"'.*'$", line):
        line = re.sub(r"'\s+'", "", line)[1:-1]
    line = BUILT_IN.get(line, line)
    parts: list[str | Value] = []
    at, quoted = 0, False
    values: list[str] = []
    for variable in _VARIABLE.finditer(line):
        before = line[at : variable.start()]
        parts += literal(before)
        quoted ^= before.count('"') % 2 == 1
        name = str(variable[1] or variable[2]).lower()
        if _SECRET.match(name):
            raise ValueError(
                f"log_format, position {variable.start() + 1}: ${name} writes secrets into the log;"
                " take it out of the proxy's log_format"
            )
        parts.append(_value(name, escape, quoted))
        values.append(name)
        at = variable.end()
    parts += literal(line[at:])
    if not set(values) & set(_TIMES):
        raise ValueError("the log_format says no time; add [$time_local], or better $msec")
    if not set(values) & set(_PLACES_OF_REQUESTS):
        raise ValueError('the log_format says no destination; add "$request" and $host')
    return Line(line, tuple(parts))


def _value(name: str, escape: str, quoted: bool) -> Value:
    read = _READ[escape]
    if name in _SHAPE and not quoted:
        # Numbers, addresses and times hold nothing that is escaped; to look for it takes time.
        return Value(name, _SHAPE[name], read=read if _SHAPE[name] == _WORD else http_sql.known)
    if quoted and escape != "none":
        return Value(name, r'(?:[^"\\]|\\.)*', read=read)
    if quoted:
        return Value(name, ".*?", r'[^"]*', read, quoted=True)
    # A bare name stands between brackets or dashes that its owner may write too.
    return Value(name, ".*?", r"[^\s\[\]]*", read)


def _default(text: str) -> str:
    return http_sql.unescaped(http_sql.known(text), r"\\x")


def _json(text: str) -> str:
    value = http_sql.known(text)
    written = f"'[\"' || {value} || '\"]'"
    return f"""CASE WHEN contains({value}, '\\') AND json_valid({written}) THEN json_extract_string({written}, '$[0]')
        ELSE {value} END"""


_READ = {"default": _default, "json": _json, "none": http_sql.known}
