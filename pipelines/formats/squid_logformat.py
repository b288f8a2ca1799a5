"""Squid's `logformat` lines, compiled to one RE2 pattern each.

Follows src/format/Token.cc, Format.cc and Quoting.cc of Squid 7 and the `logformat` directive's manual
(https://www.squid-cache.org/Doc/config/logformat). A code is
`% [encoding] [-] [[0]width[.max]] [{arg}] code [{arg}]`; how its value is encoded, and so where it can
end, depends on the encoding character, or on the quotes or brackets that the code stands in.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

Encoding = Literal["raw", "quoted", "mime", "url", "pass", "shell"]

BUILT_IN = {
    "squid": "%ts.%03tu %6tr %>a %Ss/%03>Hs %<st %rm %ru %[un %Sh/%<a %mt",
    "common": '%>a - %[un [%tl] "%rm %ru HTTP/%rv" %>Hs %<st %Ss:%Sh',
    "combined": '%>a - %[un [%tl] "%rm %ru HTTP/%rv" %>Hs %<st "%{Referer}>h" "%{User-Agent}>h" %Ss:%Sh',
}
"""The formats that Squid defines itself and that say where a request went."""

LONGEST = 4000

_NUMBER = r"-?[0-9]+|-"
_DECIMAL = r"-?[0-9]+(?:\.[0-9]+)?|-"
_ADDRESS = r'\[[^\s\]]*\]|[^\s"\[\]]+'
_WORD = r"\S+"
_RESULT = r"[A-Za-z][A-Za-z0-9_]*|-"
# Hierarchy codes are known words, so that no content type, URL or user name passes for one.
_HIERARCHY = r"(?:TIMEOUT_)?(?:NONE|DIRECT|CARP|PINNED|[A-Z]+(?:_[A-Z]+)+)|-"
_QUOTED = r'(?:[^"\\]|\\.)*'
_MIME = r"[^\[\]]*"
_SHELL = r'"(?:[^"\\]|\\.)*"|\S+'
_MIME_HEADERS = r"(?:\s+\[[^\[\]]*\]\s+\[[^\[\]]*\])"

_SHAPES = {
    _NUMBER: "sn >p <p >lp lp <lp >rP <rP PORT MYPORT SRCPORT Hs >Hs <Hs ts tu <bs >st <st st >sh <sh <sH <sS"
    " master_xaction request_attempts busy_time transport::>connection_id",
    _DECIMAL: "tS tr dt <pt <tt rv >rv <rv icap::tt icap::tr icap::tio",
    _ADDRESS: ">a <a >la la <la oa SRC MYADDR",
    _RESULT: "Ss",
    _HIERARCHY: "Sh",
    _WORD: "rm >rm <rm METHOD ru >ru <ru URI >rs <rs PROTO >rd <rd DST rp >rp <rp PATH mt >A <A err_code err_detail"
    " >eui >qos <qos >nfmark <nfmark >handshake SRCEUI48 SRCEUI64 ACL ssl::bump_mode ssl::>sni"
    " ssl::>negotiated_version ssl::<negotiated_version ssl::>negotiated_cipher ssl::<negotiated_cipher"
    " ssl::>received_hello_version ssl::<received_hello_version ssl::>received_supported_version"
    " ssl::<received_supported_version ssl::<cert_errors rG >v"
    " icap::to icap::Hs icap::ru icap::rm icap::>st icap::<st icap::<bs icap::<A icap::<service_name"
    " adapt::all_trs adapt::sum_trs",
}
_SHAPE = {code: shape for shape, codes in _SHAPES.items() for code in codes.split()}
"""Codes whose values have a shape of their own, whatever they are quoted with."""

_FREE = {
    "un", "ul", "ue", "ui", "us", "LOGIN", "EXT_USER", "et", "ea", "EXT_LOG", "EXT_TAG", "TAG", "DATA",
    "ssl::>cert_subject", "ssl::>cert_issuer", "ssl::<cert_subject", "ssl::<cert_issuer",
}  # fmt: skip
"""Codes that Squid writes as they are unless they are encoded: the value may have spaces."""

_ESCAPED = {
    ">h", "<h", ">ha", "note", "ssl::<cert", "icap::>h", "icap::<h", "adapt::<last_h", "icap::<last_h",
    "proxy_protocol::>h",
}  # fmt: skip
"""Codes that Squid percent-encodes unless they are encoded otherwise (the percent sign itself stays)."""

_CLOCKS = {"tl", "tg"}
_SECRETS = {"credentials"}
_SECRET_HEADERS = {
    "authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key", "api-key", "x-auth-token",
    "x-amz-security-token",
}  # fmt: skip
_KNOWN = sorted({*_SHAPE, *_FREE, *_ESCAPED, *_CLOCKS, *_SECRETS, "byte"}, key=len, reverse=True)
_UNKNOWN = re.compile(r"(?:[A-Za-z_]+::)?[<>]?[A-Za-z_]+")
_ENCODINGS: dict[str, Encoding] = {'"': "quoted", "'": "raw", "[": "mime", "#": "url", "/": "shell"}
_MODIFIERS = re.compile(r"""(?P<encoding>["'\[#/])?(?P<left>-)?(?P<zero>0)?(?P<width>[0-9]+)?(?:\.(?P<most>[0-9]+))?""")
_DESTINATIONS = {"ru", ">ru", "URI", ">rd", "<rd", "DST", "ssl::>sni"}

URLS = (">ru", "URI", "ru", "<ru")
NAMES = ("un", "ul", "LOGIN", "ue", "EXT_USER", "us", "ui")
"""Codes of user names, as they are preferred; `%ui` is what the client's own ident server said."""
_CALLERS_WORDS = {*URLS, ">rp", "<rp", "rp", "PATH"}
"""Codes whose words the caller chooses, and which are read as one word though they may have been written as more."""

_STRFTIME = {
    "Y": "[0-9]{4}", "m": "[0-9]{2}", "d": "[0-9]{2}", "H": "[0-9]{2}", "M": "[0-9]{2}", "S": "[0-9]{2}",
    "y": "[0-9]{2}", "I": "[0-9]{2}", "j": "[0-9]{3}", "p": "[AP]M", "b": "[A-Za-z]{3}", "B": "[A-Za-z]+",
    "a": "[A-Za-z]{3}", "A": "[A-Za-z]+", "z": "[+-][0-9]{4}", "%": "%",
}  # fmt: skip
_STRFTIME_SHORT = {"T": "%H:%M:%S", "F": "%Y-%m-%d", "R": "%H:%M", "D": "%m/%d/%y", "h": "%b"}
_CLOCK_DEFAULT = "%d/%b/%Y:%H:%M:%S"


@dataclass(frozen=True)
class Field:
    """One value of a line: the pattern's group `name` holds it, encoded as `encoding` says.

    `argument` is a header's name in lower case. `digits` is the precision that was asked for (`%.6tu`).
    `clock` is the strptime format of a `%tl` or `%tg` that names a moment; it ends in `%z` for local time.
    `bare`: nothing marks where the value ends, so it may have spaces. `sure`: which of the words of a bare user name
    are the proxy's own, where the caller's words may stand before it (`last`), behind it (`first`) or on both sides.
    """

    name: str
    code: str
    argument: str | None
    encoding: Encoding
    digits: int | None
    clock: str | None
    bare: bool = False
    sure: Literal["all", "first", "last", "none"] = "all"


@dataclass(frozen=True)
class Logformat:
    """A compiled line: `pattern` matches a whole record; group 1 is the record, then one group a field."""

    line: str
    pattern: str
    fields: tuple[Field, ...]

    @property
    def groups(self) -> tuple[str, ...]:
        return ("whole", *(field.name for field in self.fields))

    def of(self, *codes: str, argument: str | None = None) -> tuple[Field, ...]:
        """The fields of these codes, in the order of `codes`."""
        return tuple(f for code in codes for f in self.fields if f.code == code and f.argument == argument)


@lru_cache(maxsize=256)
def compiled(line: str | None) -> Logformat:
    """The logformat of a source: a built-in name, null for Squid's native one, or a specification.

    Raises ValueError, with the position in the line and what to do, where the line cannot be read, says
    neither when nor where to, or writes secrets.
    """
    name = "squid" if line is None else line.strip()
    if name in BUILT_IN:
        return _Compiler(BUILT_IN[name], built_in=name).compile()
    if len(name) > LONGEST:
        raise ValueError(f"the logformat is {len(name)} characters long; at most {LONGEST} can be read")
    # People paste the whole directive of squid.conf.
    return _Compiler(re.sub(r"^logformat\s+\S+\s+", "", name), built_in=None).compile()


class _Compiler:
    """Reads a specification from left to right, as Squid does."""

    def __init__(self, line: str, built_in: str | None) -> None:
        self.line = line
        self.built_in = built_in
        self.at = 0
        self.context: Encoding | None = None
        self.fields: list[Field] = []
        self.parts: list[str] = []

    def compile(self) -> Logformat:
        if not self.line or not self.line.replace("\t", " ").isprintable():
            raise ValueError("the logformat is empty or has control characters; write the specification on one line")
        while self.at < len(self.line):
            if self.line[self.at] == "%":
                self._code()
            else:
                self._literal()
        self._check()
        self.fields = [self._sure(at) for at in range(len(self.fields))]
        return Logformat(self.line, rf"(?s)^\s*({''.join(self.parts)}){self._tail()}\s*$", tuple(self.fields))

    def _tail(self) -> str:
        """What may follow: the headers of log_mime_hdrs, and after a native line fields that we do not know."""
        if self.built_in == "squid":
            return rf"(?:{_MIME_HEADERS}|\s+[^\[\]]*)?"
        return rf"{_MIME_HEADERS}?" if self.built_in else ""

    def _check(self) -> None:
        codes = {field.code for field in self.fields}
        if not (codes & {"ts", "tS"} or any(field.clock for field in self.fields)):
            raise ValueError("the logformat says no time; add %ts.%03tu (%tl needs %z in its format to name a moment)")
        if not (codes & _DESTINATIONS or any(f.argument == "host" for f in self.fields)):
            raise ValueError("the logformat says no destination; add %ru")

    def _sure(self, at: int) -> Field:
        """A user name's field with what of it is out of the caller's reach: a URL with a space reaches into it."""
        field = self.fields[at]
        if field.code not in NAMES or not field.bare:
            return field
        before = any(_is_callers(other) for other in self.fields[:at])
        behind = any(_is_callers(other) for other in self.fields[at + 1 :])
        return replace(field, sure="none" if before and behind else "last" if before else "first" if behind else "all")

    def _wrong(self, at: int, what: str) -> ValueError:
        return ValueError(f"logformat, position {at + 1}: {what}")

    def _literal(self) -> None:
        end = self.line.find("%", self.at)
        text = self.line[self.at : end if end >= 0 else len(self.line)]
        for character in text:
            if character == '"' and self.context in {None, "quoted"}:
                self.context = None if self.context else "quoted"
            elif character == "[" and self.context is None:
                self.context = "mime"
            elif character == "]" and self.context == "mime":
                self.context = None
        self.parts += [r"\s+" if piece.isspace() else re.escape(piece) for piece in re.split(r"(\s+)", text) if piece]
        self.at += len(text)

    def _code(self) -> None:
        start = self.at
        if self.line.startswith("%%", start):
            self.parts.append("%")
            self.at += 2
            return
        modifiers = _MODIFIERS.match(self.line, start + 1)
        assert modifiers is not None  # every part of it may be absent
        self.at = modifiers.end()
        argument = self._argument()
        code = self._name(start)
        if argument is None:
            argument = self._argument()
        if code == "byte":
            self._byte(start, argument)
            return
        header = argument.partition(":")[0].lower() if argument is not None and code in _ESCAPED else argument
        self._refuse_secrets(start, code, header)
        encoding = self._encoding(code, modifiers["encoding"])
        clock = _clock(code, argument)
        field = Field(
            name=f"g{len(self.fields)}",
            code=code,
            argument=None if code in _CLOCKS else header,
            encoding=encoding,
            digits=int(modifiers["most"]) if modifiers["most"] else None,
            clock=clock[1] if clock else None,
            bare=self._is_bare(start, code, encoding),
        )
        self.fields.append(field)
        pattern = f"({clock[0] if clock else self._pattern(field)})"
        if modifiers["width"]:
            pattern = rf"{pattern}\s*" if modifiers["left"] else rf"\s*{pattern}"
        self.parts.append(pattern)

    def _argument(self) -> str | None:
        if not self.line.startswith("{", self.at):
            return None
        end = self.line.find("}", self.at)
        if end < 0:
            raise self._wrong(self.at, "a { is not closed; write {argument}")
        text = self.line[self.at + 1 : end]
        if not text:
            raise self._wrong(self.at, "an empty {}; name the header, or leave the braces out")
        self.at = end + 1
        return text

    def _name(self, start: int) -> str:
        if self.line.startswith("http::", self.at):
            self.at += len("http::")
        text = re.sub(r"^tls::", "ssl::", self.line[self.at :])
        code = next((known for known in _KNOWN if text.startswith(known)), None)
        if code is None:
            unknown = _UNKNOWN.match(text)
            if unknown is None:
                raise self._wrong(start, "a % without a format code; write %% for a percent sign")
            code = unknown.group()
        self.at += len(code)
        return code

    def _byte(self, start: int, argument: str | None) -> None:
        if argument is None or not re.fullmatch(r"[1-9][0-9]{0,2}", argument) or int(argument) > 255:
            raise self._wrong(start, "%byte needs a number from 1 to 255 in braces, as in %byte{9}")
        self.parts.append(r"\s" if chr(int(argument)).isspace() else rf"\x{{{int(argument):02x}}}")

    def _refuse_secrets(self, start: int, code: str, argument: str | None) -> None:
        if code in _SECRETS or (code in _ESCAPED and argument in _SECRET_HEADERS):
            what = f"%{{{argument}}}{code}" if argument else f"%{code}"
            raise self._wrong(start, f"{what} writes secrets into the log; take it out of the proxy's logformat")

    def _encoding(self, code: str, character: str | None) -> Encoding:
        if self.built_in and code in _ESCAPED:
            return "raw"  # the built-in `combined` writes headers between quotes, but does not escape them
        if character:
            return _ENCODINGS[character]
        return self.context or ("pass" if code in _ESCAPED else "raw")

    def _is_bare(self, start: int, code: str, encoding: Encoding) -> bool:
        """Whether a free value's end is not marked. Brackets around or next to one do, since it has none itself."""
        if code not in _FREE | _ESCAPED:
            return False
        next_literal = self.line[self.at :].partition("%")[0]
        bracketed = self.line[:start].rstrip().endswith("[") or next_literal.strip()[:1] in {"[", "]"}
        return encoding == "raw" or (encoding == "mime" and not bracketed)

    def _pattern(self, field: Field) -> str:
        """Where a value ends. A raw user name takes all it can: what follows is anchored at the line's end."""
        if field.code in _SHAPE:
            return _SHELL if field.encoding == "shell" and _SHAPE[field.code] == _WORD else _SHAPE[field.code]
        return {
            "quoted": _QUOTED,
            "mime": _MIME,
            "shell": _SHELL,
            "url": _WORD,
            "pass": _WORD,
            "raw": ".*" if field.code in _FREE | _ESCAPED else _WORD,
        }[field.encoding]


def _is_callers(field: Field) -> bool:
    """Whether the caller can write spaces into this value so that what follows them seems to be the next one."""
    if field.code in _CALLERS_WORDS:
        return field.encoding != "url"
    return field.bare and (field.code in _ESCAPED or field.code == "ui")


def _clock(code: str, argument: str | None) -> tuple[str, str | None] | None:
    """The pattern of a `%tl` or `%tg`, and its strptime format where it names a moment."""
    if code not in _CLOCKS:
        return None
    if argument is None:
        # Squid's own %tg has no zone although its manual says so.
        pattern = "".join(_strftime(_CLOCK_DEFAULT) or ())
        return rf"{pattern} [+-][0-9]{{4}}" if code == "tl" else rf"{pattern}(?: \+0000)?", (
            f"{_CLOCK_DEFAULT} %z" if code == "tl" else _CLOCK_DEFAULT
        )
    long = re.sub(r"%([TFRDh])", lambda short: _STRFTIME_SHORT[short[1]], argument)
    pieces = _strftime(long)
    if pieces is None:
        return r".*?", None
    complete = ("%Y" in long or "%y" in long) and re.search(r"%[bBm]", long) and "%d" in long and "%H" in long
    local = code == "tl" and "%z" not in long
    return "".join(pieces), long if complete and not local else None


def _strftime(text: str) -> list[str] | None:
    """A strftime format as pieces of a pattern; null where it has a directive that cannot be read back."""
    pieces = re.findall(r"%.|[^%]+|%$", text, re.DOTALL)
    if any(piece[0] == "%" and piece[1:] not in _STRFTIME for piece in pieces):
        return None
    return [_STRFTIME[piece[1:]] if piece[0] == "%" else re.escape(piece) for piece in pieces]
