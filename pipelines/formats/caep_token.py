"""Security event tokens: out of their compact form, with their signatures checked, into records.

RS256 alone is checked (RFC 7518, 3.3; the CAEP interoperability profile asks for it): verifying it needs no secret,
one modular power and one comparison of public values.
"""

from __future__ import annotations

import base64
import hashlib
import re
from binascii import Error as Base64Error
from collections.abc import Iterable

import msgspec
from pydantic import BaseModel, ConfigDict, field_validator

from pipelines.formats.json_salvage import SHOWN

_COMPACT = re.compile(rb"\s*([A-Za-z0-9_-]{2,})\.([A-Za-z0-9_-]{2,})\.([A-Za-z0-9_-]*)\s*")
_LEAST_BITS = 2048
"""RFC 7518 asks for RSA keys of 2,048 bits or more."""

_MOST_BITS = 16384
_SHA256_INFO = bytes.fromhex("3031300d060960864801650304020105000420")
"""The DigestInfo of SHA-256 (RFC 8017, 9.2)."""

Found = list[tuple[bytes, str | None]]


class Key(BaseModel):
    """A public key as a JWK (RFC 7517); other members of it are let pass."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    n: str
    e: str = "AQAB"
    kid: str | None = None

    @field_validator("n")
    @classmethod
    def _strong(cls, text: str) -> str:
        bits = _number(text).bit_length()
        if not _LEAST_BITS <= bits <= _MOST_BITS:
            msg = f"an RSA key of {bits} bits; {_LEAST_BITS} to {_MOST_BITS} are taken"
            raise ValueError(msg)
        return text

    @field_validator("e")
    @classmethod
    def _odd(cls, text: str) -> str:
        value = _number(text)
        if value < 3 or value % 2 == 0 or value.bit_length() > 64:
            msg = "no public exponent of RSA"
            raise ValueError(msg)
        return text


class _Header(msgspec.Struct):
    alg: str | None = None
    kid: str | None = None


class _Claims(msgspec.Struct):
    events: dict[str, msgspec.Raw] | None = None


class _Poll(msgspec.Struct):
    sets: dict[str, str] | None = None


def records(raw: bytes, keys: Iterable[Key]) -> Found:
    """The records of one piece of a stream, each with the reason why it is none."""
    if found := _COMPACT.fullmatch(raw):
        return _of_token(found, keys)
    if not raw.lstrip().startswith(b"{"):
        return [(raw[:SHOWN], "neither a security event token nor a JSON object")]
    try:
        poll = msgspec.json.decode(raw, type=_Poll)
    except (msgspec.MsgspecError, RecursionError):
        return _of_claims(b"null", b"null", raw)
    if poll.sets is None:
        return _of_claims(b"null", b"null", raw)
    told: Found = []
    for token in poll.sets.values():
        compact = _COMPACT.fullmatch(token.encode())
        told += (
            _of_token(compact, keys)
            if compact
            else [(token.encode()[:SHOWN], 'a member of "sets" is no security event token')]
        )
    return told or [(raw, None)]


def _of_token(found: re.Match[bytes], keys: Iterable[Key]) -> Found:
    try:
        header, claims = _bytes(found[1]), _bytes(found[2])
        read = msgspec.json.decode(header, type=_Header)
    except (msgspec.MsgspecError, Base64Error, ValueError, RecursionError):
        return [(found[0][:SHOWN], "a security event token whose header is no JSON object")]
    verified = _verified(found, read, keys)
    told = b"null" if verified is None else b"true" if verified else b"false"
    return _of_claims(told, header, claims)


def _of_claims(verified: bytes, header: bytes, claims: bytes) -> Found:
    """A record an event of the claims; the JSON texts go in as they are, once each is known to be one value."""
    try:
        read = msgspec.json.decode(claims, type=_Claims)
        msgspec.json.decode(header)
        (header + claims).decode()
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return [(claims[:SHOWN], 'a security event token whose claims are no JSON object with "events" that are one')]
    head = b'{"verified":%b,"header":%b,"claims":%b' % (verified, header, claims)
    events = list((read.events or {}).items())
    if not events:
        return [(head + b"}", None)]
    return [
        (head + b',"event":%b,"place":%d,"detail":%b}' % (msgspec.json.encode(event), place, bytes(detail)), None)
        for place, (event, detail) in enumerate(events)
    ]


def _verified(found: re.Match[bytes], header: _Header, keys: Iterable[Key]) -> bool | None:
    """Whether one of the keys signed it; null where none could be tried. A key id only chooses among keys."""
    chosen = [key for key in keys if header.kid is None or key.kid is None or key.kid == header.kid]
    if not chosen or header.alg is None:
        return None
    if header.alg != "RS256":
        return False
    try:
        signature = _bytes(found[3])
    except (Base64Error, ValueError):
        return False
    signed = found[1] + b"." + found[2]
    return any(_signed_by(key, signed, signature) for key in chosen)


def _signed_by(key: Key, signed: bytes, signature: bytes) -> bool:
    """RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017, 8.2.2): the whole encoded message is compared, padding included."""
    modulus, exponent = _number(key.n), _number(key.e)
    size = (modulus.bit_length() + 7) // 8
    if len(signature) != size or (value := int.from_bytes(signature)) >= modulus:
        return False
    digest = _SHA256_INFO + hashlib.sha256(signed).digest()
    expected = b"\x00\x01" + b"\xff" * (size - len(digest) - 3) + b"\x00" + digest
    return pow(value, exponent, modulus).to_bytes(size) == expected


def _bytes(text: bytes) -> bytes:
    return base64.b64decode(text + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)


def _number(text: str) -> int:
    try:
        return int.from_bytes(_bytes(text.rstrip("=").encode()))
    except (Base64Error, ValueError) as error:
        msg = "not base64url"
        raise ValueError(msg) from error
