"""A small estate whose logs and manifest carry text that would like to be more than text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.end_to_end.small import Estate, assume, event, squid_line

SCRIPT = "<script>window.pwned=1</script>"
CLOSING = '"</script><script>window.pwned=2</script>'
IMAGE = "<img src=x onerror=window.pwned=3>"
TEMPLATE = "{{7*7}}{% raw %}${7*7}"
BOLD = "<b>bold</b>"
LINK = "<a href=javascript:window.pwned=4>go</a>"
ENTITY = "&lt;i&gt;"
INVISIBLE = "a\u0000b\u202ec\u061cd"

MANIFEST = f"""
worker: agent
owner: team@corp.example
purpose: '{SCRIPT} and {TEMPLATE}'
identities:
  - aws:role/arn:aws:iam::111122223333:role/agent
  - proxy:user/egress/svc-agent
  - proxy:user/egress/svc-idle
scope:
  - deny: {{service: s3.amazonaws.com, operations: ["Delete*"]}}
  - allow: {{service: s3.amazonaws.com, operations: ["Get*", "{BOLD}"]}}
  - allow: {{service: dynamodb.amazonaws.com}}
  - allow: {{hosts: ["*.example"]}}
limits:
  - {{measure: calls, at_most: 3, per: 10s}}
  - {{measure: destinations, at_most: 1, per: 1h}}
  - {{measure: secrets, at_most: 5, per: 1h}}
  - {{measure: hops, at_most: 4}}
"""


def calls() -> list[dict[str, Any]]:
    """Eight calls at 09:00: five that a line allows, one that a line denies, one that none allows, one taking a role."""
    return [
        *(event(second=second, requestParameters={"bucketName": "cases", "key": IMAGE}) for second in (0, 1, 2, 3, 13)),
        event("DeleteObject", second=20, errorCode="AccessDenied", errorMessage=SCRIPT, userAgent=CLOSING),
        event(LINK, second=30, eventSource=f"{BOLD}.amazonaws.com", userAgent=f"{INVISIBLE}{ENTITY}",
              sourceIPAddress=IMAGE, requestParameters={"name": TEMPLATE}),
        assume("ASIANEXT", second=40),
    ]  # fmt: skip


def next_day() -> dict[str, Any]:
    """One more call that a line allows, on the next day and with another key."""
    later = event(eventTime="2026-03-03T10:00:00Z", eventID="0000-next-day")
    later["userIdentity"]["accessKeyId"] = "ASIAEXAMPLE2"
    later["userIdentity"]["sessionContext"]["attributes"]["creationDate"] = "2026-03-03T09:59:00Z"
    return later


def hostile(root: Path) -> Estate:
    """The estate, run once."""
    made = Estate(root)
    (made.root / "workers" / "agent.yaml").write_text(MANIFEST, encoding="utf-8")
    made.put("trail", calls())
    made.put("trail", [next_day()])
    far, stranger = "http://far.invalid/%3Cscript%3E", IMAGE.replace(" ", "%20")
    lines = squid_line(5) + squid_line(6, url=far) + squid_line(7, user=stranger)
    made.put("egress", lines)
    made.run()
    return made
