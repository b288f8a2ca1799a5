"""The small values that a manifest is written in: durations, sizes, times, networks, schedules, identities, globs.

Each parser takes what YAML gave (text, number, date) and returns a plain value, or raises ValueError
with a message that says what would be right. Units: seconds, bytes (1 MB is 10^6), UTC.
"""

from __future__ import annotations

import ipaddress
import re
from datetime import date, datetime, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, PlainSerializer, Strict

from detectors.located import instant

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_BYTES = {"B": 1, "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "PB": 10**15}
_BYTES |= {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MINUTES_A_DAY = 24 * 60
LARGEST = 2**63 - 1


def seconds(value: Any) -> int:
    """`90s`, `15m`, `1h`, `7d`, `2w` as seconds."""
    match = re.fullmatch(r"([0-9]{1,9})(s|m|h|d|w)", value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"{_shown(value)} is not a duration; write a number and a unit, such as 90s, 15m, 1h or 7d")
    return int(match[1]) * _SECONDS[match[2]]


def size(value: Any) -> int:
    """`200MB` or `1.5GB` (powers of ten) or `64MiB` as bytes; a bare number is bytes."""
    if isinstance(value, int) and not isinstance(value, bool):
        return _within(value, value)
    match = re.fullmatch(r"([0-9]{1,15})(?:\.([0-9]{1,6}))? ?([A-Za-z]+)", value) if isinstance(value, str) else None
    if match is None or match[3] not in _BYTES:
        raise ValueError(f"{_shown(value)} is not a size; write a number and a unit, such as 500kB, 200MB or 1.5GB")
    fraction = match[2] or ""
    scaled = int(match[1] + fraction) * _BYTES[match[3]]
    if scaled % 10 ** len(fraction):
        raise ValueError(f"{_shown(value)} is not a whole number of bytes")
    return _within(scaled // 10 ** len(fraction), value)


def amount(value: Any) -> int | float:
    """A count or a sum that is not negative."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < LARGEST:
        raise ValueError(f"{_shown(value)} is not a number of 0 or more")
    return value


def _within(number: int, value: Any) -> int:
    if not 0 <= number <= LARGEST:
        raise ValueError(f"{_shown(value)} is out of range")
    return number


def moment(value: Any) -> date | datetime:
    """A YAML date or time, or ISO 8601 text; times come out as naive UTC."""
    if isinstance(value, str):
        try:
            value = instant(value)
        except (ValueError, OverflowError):
            value = None
    if not isinstance(value, date):
        raise ValueError(  # noqa: TRY004 - pydantic collects ValueErrors alone
            "is not a date or a time; write 2026-12-31 or 2026-12-31T18:00:00Z"
        )
    if not 1970 <= value.year <= 2199:
        raise ValueError("is a year outside 1970 to 2199")
    return value


def start_of(value: date | datetime) -> datetime:
    """The first instant of it: a date begins at midnight UTC."""
    return value if isinstance(value, datetime) else datetime(value.year, value.month, value.day)


def end_of(value: date | datetime) -> datetime:
    """The first instant after it: a date ends at the next midnight UTC, a time a microsecond later."""
    if isinstance(value, datetime):
        return value + timedelta(microseconds=1)
    return start_of(value) + timedelta(days=1)


def network(value: Any) -> str:
    """A CIDR network (RFC 4632, RFC 4291) in its canonical text."""
    try:
        return str(ipaddress.ip_network(str(value)))
    except ValueError as error:
        said = str(error) if "host bits" in str(error) else f"{_shown(value)} is not a network"
        raise ValueError(f"{said}; write a network such as 10.40.0.0/16 or 2001:db8::/32") from error


class Schedule(BaseModel):
    """When a worker runs, every week: days (Monday is 0), minutes from midnight, IANA time zone.

    A window whose end is not after its start runs past midnight into the next day.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    days: tuple[int, ...]
    start: int
    end: int
    zone: str

    @property
    def text(self) -> str:
        """As a manifest writes it."""
        days = ",".join(_DAYS[day] for day in self.days)
        clock = "-".join(f"{minute // 60:02d}:{minute % 60:02d}" for minute in (self.start, self.end))
        return f"{days} {clock} {self.zone}"


def schedule(value: Any) -> Schedule:
    """`Mon-Fri 06:00-20:00 Europe/Berlin`: days, hours, and a time zone (UTC unless given)."""
    if isinstance(value, Schedule):
        return value
    shape = r"([A-Za-z,-]+) ([0-9]{2}):([0-9]{2})-([0-9]{2}):([0-9]{2})(?: ([A-Za-z0-9_+/-]+))?"
    match = re.fullmatch(shape, value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"{_shown(value)} is not a schedule; write it like 'Mon-Fri 06:00-20:00 Europe/Berlin'")
    start, end = _minute(match[2], match[3]), _minute(match[4], match[5])
    if start in (MINUTES_A_DAY, end):
        raise ValueError(f"{_shown(value)}: the hours must span some time, such as 00:00-24:00")
    return Schedule(days=_days(match[1]), start=start, end=end, zone=_zone(match[6] or "UTC"))


def _minute(hour: str, minute: str) -> int:
    total = int(hour) * 60 + int(minute)
    if int(minute) > 59 or total > MINUTES_A_DAY:
        raise ValueError(f"{hour}:{minute} is not a time of day")
    return total


def _days(text: str) -> tuple[int, ...]:
    found: set[int] = set()
    for part in text.split(","):
        ends = part.split("-")
        if len(ends) > 2 or any(end not in _DAYS for end in ends):
            raise ValueError(f"'{part}' is not a day or a span of days; write Mon, Mon-Fri or Mon,Wed")
        first, last = _DAYS.index(ends[0]), _DAYS.index(ends[-1])
        found |= {day % 7 for day in range(first, last + 1 if last >= first else last + 8)}
    return tuple(sorted(found))


def _zone(name: str) -> str:
    try:
        return ZoneInfo(name).key
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(f"'{name}' is not a time zone; write an IANA name such as Europe/Berlin") from error


def worker_name(value: str) -> str:
    """A worker's name: lower-case letters, digits, dot, dash and underscore, the first a letter or digit."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]*", value):
        raise ValueError(f"{_shown(value)} is not a worker's name; use a-z, 0-9, '.', '_' and '-'")
    return value


def identity(value: str) -> str:
    """The name of a principal or credential, `system:kind/...`, which may hold `*` and `?`."""
    if not re.fullmatch(r"[a-z0-9]+:[a-z0-9_]+/\S(.*\S)?", value):
        raise ValueError(
            f"{_shown(value)} is not of the form system:kind/..., such as aws:role/ARN or mail:addr/ADDRESS"
        )
    return value


def principal_glob(value: str) -> str:
    """A glob over principals; `*` alone is everybody."""
    return value if value == "*" else identity(value)


def filled(value: str) -> str:
    """Text that is not empty and does not begin or end with a space."""
    if not value or value != value.strip():
        raise ValueError("must not be empty, or begin or end with a space")
    return value


def port(value: Any) -> str:
    """A port number, or a glob over its digits, as text."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    plain = isinstance(value, str) and re.fullmatch(r"[1-9][0-9]{0,4}", value) and int(value) <= 65_535
    if not (plain or (isinstance(value, str) and re.fullmatch(r"(?=.*[*?])[0-9*?]{1,5}", value))):
        raise ValueError(f"{_shown(value)} is not a port from 1 to 65535")
    return str(value)


def host(value: str) -> str:
    """A glob over host names as they are compared: lower-case A-labels (RFC 5890), no trailing dot.

    An IPv6 address is in its canonical text (RFC 5952), without brackets; one that holds an IPv4 address is that.
    """
    literal = ip_literal(value)
    if literal:
        return literal
    labels = value.removesuffix(".").split(".")
    return ".".join(label.lower() if label.isascii() else _a_label(label) for label in labels)


def ip_literal(value: str) -> str | None:
    """The canonical text of an IPv6 address, in brackets or without, its zone dropped; null where it is none."""
    if ":" not in value:
        return None
    try:
        found = ipaddress.IPv6Address(value.removeprefix("[").removesuffix("]").split("%", 1)[0])
    except ValueError:
        return None
    return str(found.ipv4_mapped or found)


def _host_as_written(value: str) -> str:
    """Kept as written, so that a warning can quote it; refused where it has no compared form."""
    host(filled(value))
    return value


def _a_label(label: str) -> str:
    import idna  # noqa: PLC0415 - its tables load slowly, and few hosts need them

    if "*" in label or "?" in label:
        raise ValueError(
            f"'{label}': a wildcard cannot stand inside an international label; let it be a label of its own"
        )
    try:
        return idna.encode(label, uts46=True).decode("ascii")
    except idna.IDNAError as error:
        raise ValueError(f"'{label}' is not a host name: {error}") from error


def _shown(value: Any) -> str:
    text = str(value)
    return repr(text if len(text) <= 60 else text[:57] + "...")


Text = Annotated[str, Strict(), AfterValidator(filled)]
WorkerName = Annotated[str, Strict(), AfterValidator(worker_name)]
IdentityText = Annotated[str, Strict(), AfterValidator(identity)]
PrincipalGlob = Annotated[str, Strict(), AfterValidator(principal_glob)]
Glob = Annotated[str, Strict(), AfterValidator(filled)]
Port = Annotated[str, BeforeValidator(port)]
Host = Annotated[str, Strict(), AfterValidator(_host_as_written)]
Network = Annotated[str, BeforeValidator(network)]
Seconds = Annotated[int, BeforeValidator(seconds), PlainSerializer(lambda value: f"{value}s", return_type=str)]
Moment = Annotated[
    date | datetime,
    BeforeValidator(moment),
    PlainSerializer(lambda value: value.isoformat(), return_type=str, when_used="json"),
]
Hours = Annotated[Schedule, BeforeValidator(schedule), PlainSerializer(lambda value: value.text, return_type=str)]
