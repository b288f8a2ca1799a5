"""A webhook by the Standard Webhooks specification 1.0.0: signed, told apart by id, retried.

The signature is HMAC-SHA256 over `id.timestamp.body`. While a secret is being changed the reference
may hold two, with white space between them; every message is then signed with both.
"""

from __future__ import annotations

import base64
import binascii
import http
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import httpx
from pydantic import AfterValidator, Field, ValidationInfo, field_validator
from standardwebhooks.webhooks import Webhook

from pipelines.alerts import payload
from pipelines.alerts.addresses import is_loopback_name, refusal
from pipelines.alerts.destination import Answer, Destination, DestinationSettings, Message, Sender, Unusable
from pipelines.alerts.retry import parse_retry_after
from pipelines.alerts.secret import Reference, resolve
from pipelines.alerts.states import GONE
from pipelines.alerts.text import cleaned
from pipelines.alerts.transport import Clock, client

PREFIX = "whsec_"
LONGEST_EXCERPT = 4_096
TRY_AGAIN = frozenset({408, 425, 429})
"""The client errors that may pass; the others never will (5xx and 3xx may)."""


def _checked_url(value: str) -> str:
    try:
        url = httpx.URL(value)
    except httpx.InvalidURL as error:
        raise ValueError(f"is no URL: {error}") from None
    if not url.host or url.scheme not in {"https", "http"}:
        raise ValueError("must be an https:// URL with a host")
    if url.port is not None and not 0 < url.port < 65536:
        raise ValueError(f"has no port {url.port}; ports are 1 to 65535")
    if url.userinfo:
        raise ValueError("must not hold a user name or password; a webhook is known by its signature")
    if url.fragment:
        raise ValueError("must not hold a fragment (#...); it is never sent")
    loopback = is_loopback_name(url.host)
    if url.scheme == "http" and not loopback:
        raise ValueError("must be https; plain http is for this machine alone (127.0.0.0/8, ::1, localhost)")
    try:
        reason = refusal(url.host, loopback=loopback)
    except ValueError:
        reason = None
    if reason:
        raise ValueError(f"is refused: {reason}")
    return value


class WebhookSettings(DestinationSettings):
    """`secret` names where the `whsec_` secret lies; `timeout` is for a whole attempt, in seconds."""

    url: Annotated[str, AfterValidator(_checked_url)]
    secret: Reference
    timeout: Annotated[float, Field(gt=0, le=30)] = 15
    ca_file: str | None = None

    @field_validator("ca_file")
    @classmethod
    def _from_the_folder(cls, value: str | None, info: ValidationInfo) -> str | None:
        folder = (info.context or {}).get("folder")
        return value if value is None or folder is None else str(Path(folder, value))


def parse_secrets(text: str, reference: str) -> list[str]:
    """One secret, or two during a change, each `whsec_` and the base64 of 24 to 64 bytes. Raises `Unusable`."""
    secrets = text.split()
    if not 1 <= len(secrets) <= 2:
        raise Unusable(f"{reference} must hold one secret, or the new and the old one with white space between them")
    for secret in secrets:
        try:
            key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
        except binascii.Error:
            key = b""
        if not secret.startswith(PREFIX) or not 24 <= len(key) <= 64:
            raise Unusable(f"{reference} must hold {PREFIX} followed by the base64 of 24 to 64 random bytes")
    return secrets


def sign(secrets: Sequence[str], message_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """The three headers of a message: its id, the attempt's time (naive UTC), a signature by each secret."""
    instant = at.replace(tzinfo=UTC)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(instant.timestamp())),
        "webhook-signature": " ".join(Webhook(secret).sign(message_id, instant, body.decode()) for secret in secrets),
    }


@contextmanager
def open_webhook(settings: WebhookSettings) -> Iterator[Sender]:
    """A sender for one pass; the secret is read now, so a changed one counts from the next pass on."""
    secrets = parse_secrets(resolve(settings.secret), settings.secret)
    clock = Clock()
    with client(settings.ca_file, clock, settings.timeout) as opened:
        yield partial(_send, settings, secrets, opened, clock)


def _send(
    settings: WebhookSettings, secrets: Sequence[str], opened: httpx.Client, clock: Clock, message: Message
) -> Answer:
    headers = {
        "content-type": "application/json",
        "user-agent": "WorkerTrail",
        **sign(secrets, message.id, message.attempted_at, message.body),
    }
    hidden = [*secrets, *(secret.removeprefix(PREFIX) for secret in secrets)]
    clock.start(settings.timeout)
    try:
        with opened.stream("POST", settings.url, content=message.body, headers=headers) as response:
            if response.is_success:
                return Answer("delivered")
            excerpt = cleaned(_excerpt(response), secrets=hidden)
            return _refused(response, excerpt, message.attempted_at)
    except httpx.TimeoutException:
        return Answer("failed", f"no answer within {settings.timeout:g} s")
    except (httpx.TransportError, OSError) as error:
        return Answer("failed", cleaned(str(error) or type(error).__name__, secrets=hidden))


def _excerpt(response: httpx.Response) -> str:
    """The beginning of an answer's text; an answer that breaks off is as good as it goes."""
    read = bytearray()
    try:
        for chunk in response.iter_raw():
            read += chunk
            if len(read) >= LONGEST_EXCERPT:
                break
    except httpx.TransportError:
        pass
    return bytes(read[:LONGEST_EXCERPT]).decode("utf-8", "replace")


def _refused(response: httpx.Response, excerpt: str, at: datetime) -> Answer:
    """What an answer other than 2xx means for the alert."""
    code = response.status_code
    phrase = http.HTTPStatus(code).phrase if code in http.HTTPStatus._value2member_map_ else ""
    error = ": ".join(part for part in (f"{code} {phrase}".strip(), excerpt) if part)
    if code == http.HTTPStatus.GONE:
        return Answer("dead", GONE + error.removeprefix(GONE), disables=True)
    if http.HTTPStatus.MULTIPLE_CHOICES <= code < http.HTTPStatus.BAD_REQUEST:
        return Answer("failed", f"{code} {phrase}: redirects are not followed; give the final URL")
    if http.HTTPStatus.BAD_REQUEST <= code < http.HTTPStatus.INTERNAL_SERVER_ERROR and code not in TRY_AGAIN:
        return Answer("dead", error)
    return Answer("failed", error, retry_after=parse_retry_after(response.headers.get("retry-after"), at))


DESTINATION = Destination(name="webhook", settings=WebhookSettings, payload=payload.webhook, open=open_webhook)
