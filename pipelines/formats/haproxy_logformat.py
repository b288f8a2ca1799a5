"""HAProxy's `log-format` lines, compiled to a pattern.

Follows chapter 8 "Logging" of HAProxy's configuration manual and src/log.c: an item is
`%[(name:type)] [{flags}] alias` or `%[{flags}] [sample expression]`. Bytes outside of 32 to 126, `#` and `"` are
written as `#XX`, within captured headers (`%hr`, `%hs`) `{`, `|` and `}` too; samples are written as they are, quotes
included. An empty item takes the space before it along.
"""

from __future__ import annotations

import re
from functools import lru_cache

from pipelines.formats import http_sql
from pipelines.formats.http_lines import Line, Value, check, literal
from pipelines.formats.http_secrets import SECRET_HEADERS

_COMMON_END = "%ac/%fc/%bc/%sc/%rc %sq/%bq"
BUILT_IN = {
    "httplog": f"%ci:%cp [%tr] %ft %b/%s %TR/%Tw/%Tc/%Tr/%Ta %ST %B %CC %CS %tsc {_COMMON_END} %hr %hs %{{+Q}}r",
    "tcplog": f"%ci:%cp [%t] %ft %b/%s %Tw/%Tc/%Tt %B %ts {_COMMON_END}",
}
BUILT_IN["httpslog"] = (
    BUILT_IN["httplog"] + " %[fc_err]/%[ssl_fc_err,hex]/%[ssl_c_err]/%[ssl_c_ca_err]/%[ssl_fc_is_resumed]"
    " %[ssl_fc_sni]/%sslv/%sslc"
)
"""The formats that HAProxy defines itself and that say what became of a connection."""
READ = ("httplog", "httpslog", "tcplog")
"""Those that a source without a log_format is read by, each line by the first that it fits."""

SYSLOG = (
    r"(?:(?:<[0-9]+>)?(?:1 )?(?:[A-Z][a-z]+ +[0-9]+ [0-9:]+ |[0-9]+-[0-9]+-[0-9]+T[0-9:.]+(?:Z|[+-][0-9:]+) )?"
    r"(?:[A-Za-z0-9._:-]+ )?(?:[A-Za-z0-9_./-]+(?:\[[0-9]+\])?: |[A-Za-z0-9_./-]+ \S+ \S+ (?:- )?)?)??"
)
"""What a syslog daemon puts before a line (RFC 3164, RFC 5424). No line is taken for one of these that does without."""

_NUMBER = r"\+?-?[0-9]+|-"
_ADDRESS = r"[0-9A-Fa-f:.]*:?[0-9A-Fa-f:.]+|unix|-"
_SHAPES = {
    _NUMBER: "cp fp bp sp TR Tw Tc Tr Ta Tt Tq Th Ti Td Tu Ts ms ST B U ac fc bc sc rc sq bq lc pid rt",
    _ADDRESS: "ci fi bi si",
    r"[0-9]{2}/[A-Za-z]{3}/[0-9]{4}:[0-9:]{8}\.[0-9]{3}": "t tr",
    r"[0-9]{2}/[A-Za-z]{3}/[0-9]{4}:[0-9:]{8} [+-][0-9]{4}": "T Tl trg trl",
    r"[A-Za-z-]{2}": "ts",
    r"[A-Za-z-]{4}": "tsc",
    r"[^\s/]+": "b s sslv sslc",
    r"\S+": "f ft H ID HM HU HP HPO HQ HV",
    # A captured cookie may have spaces in it; what stands for the rest of the line behind it is of a fixed shape.
    r"-|[^\s=]+=.*?": "CC CS",
}
_WORDS = {r"[^\s/]+", r"\S+"}
_SHAPE = {name: shape for shape, names in _SHAPES.items() for name in names.split()}
_ALIASES = sorted({*_SHAPE, "hr", "hs", "hrl", "hsl", "r", "o"}, key=len, reverse=True)
_ITEM = re.compile(
    rf"%%|%(?:\([^)]*\))?(?:\{{(?P<flags>[^}}]*)\}})?(?:\[(?P<sample>(?:[^\[\]]|\[[^\]]*\])+)\]|(?P<alias>{'|'.join(_ALIASES)}))"
)
_SECRET_SAMPLE = re.compile(
    rf"hdr\(\s*(?:{'|'.join(sorted(SECRET_HEADERS))})\s*[,)]|cook(?:ie)?\(|http_auth_pass|auth_pass", re.IGNORECASE
)
_QUOTED = r'"[^"]*"?'


@lru_cache(maxsize=256)
def compiled(text: str) -> Line:
    """A log-format: the name of one of HAProxy's own, or a specification.

    Raises ValueError, with the position in the line and what to do, where the line cannot be read, says neither when
    nor what, or writes secrets.
    """
    line = check(text, "log_format")
    # People paste the whole directive of haproxy.cfg, with its quotes or its escaped spaces.
    line = re.sub(r"^log-format\s+", "", line)
    line = line[1:-1] if re.match(r"""^(["']).*\1$""", line) else line.replace("\\ ", " ")
    line = BUILT_IN.get(line, line.replace('\\"', '"'))
    parts: list[str | Value] = []
    at, quote_all = 0, False
    for item in _ITEM.finditer(line):
        parts += _literal(line, at, item.start())
        at = item.end()
        if item[0] == "%%":
            parts.append("%")
            continue
        quotes = "+Q" in item["flags"] if item["flags"] and "Q" in item["flags"] else quote_all
        if item["alias"] == "o":
            quote_all = quotes
            continue
        if item["sample"] and _SECRET_SAMPLE.search(item["sample"]):
            raise ValueError(
                f"log_format, position {item.start() + 1}: %[{item['sample']}] writes secrets into the log;"
                " take it out of the proxy's log-format"
            )
        value = _value(item["alias"], item["sample"], quotes, _in_quotes(line, item.start()))
        if item["alias"] in {"hr", "hs"} and parts and parts[-1] == r"\s+":
            parts.pop()
        parts.append(value)
    parts += _literal(line, at, len(line))
    result = Line(line, tuple(parts), SYSLOG)
    if not result.has("t", "tr", "T", "Tl", "trg", "trl", "Ts"):
        raise ValueError("the log_format says no time; add [%tr], or better %Ts and %ms")
    if not result.has("r", "HU", "HP", "HPO", "B", "si", "b"):
        raise ValueError("the log_format says neither a request nor a server; add %{+Q}r")
    return result


def _literal(line: str, start: int, end: int) -> list[str]:
    """The pattern of the text between two items; a `%` in it is an item that nobody knows."""
    unknown = line.find("%", start, end)
    if unknown >= 0:
        raise ValueError(f"log_format, position {unknown + 1}: no log-format alias; write %% for a percent sign")
    return literal(line[start:end])


def _in_quotes(line: str, at: int) -> bool:
    return line.count('"', 0, at) % 2 == 1


def _value(alias: str | None, sample: str | None, quotes: bool, in_quotes: bool) -> Value:
    code = alias or re.sub(r"\s", "", (sample or "").lower())
    if alias in {"hr", "hs"}:
        return Value(code, r"(?:\s+\{[^{}]*\})?", read=_in_braces)
    if sample and quotes:
        return Value(code, '".*?"', _QUOTED, _plain_unquoted, quoted=True)
    if sample:
        return Value(code, ".*?", r'[^"]*' if in_quotes else r"[^\s/|]*", _plain, quoted=in_quotes)
    if quotes:
        return Value(code, _QUOTED, read=_unquoted)
    if alias in _SHAPE:
        # Numbers, addresses and states hold nothing that is escaped; to look for it takes time.
        return Value(code, _SHAPE[code], read=_text if _SHAPE[code] in _WORDS else _plain)
    return Value(code, r'[^"]*' if in_quotes else ".*?", read=_text)


def _plain(text: str) -> str:
    return http_sql.known(text)


def _plain_unquoted(text: str) -> str:
    return _plain(f"regexp_replace({text}, '^\"(.*?)\"?$', '\\1', 's')")


def _text(text: str) -> str:
    return http_sql.unescaped(http_sql.known(text, "<NOSRV>", "<BADREQ>"), "#")


def _unquoted(text: str) -> str:
    return _text(f"regexp_replace({text}, '^\"(.*?)\"?$', '\\1', 's')")


def _in_braces(text: str) -> str:
    """Captured headers as they were written; each is decoded once they are told apart."""
    return f"nullif(regexp_extract({text}, '\\{{([^{{}}]*)\\}}', 1), '')"
