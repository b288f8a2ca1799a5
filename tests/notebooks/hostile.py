"""Logs whose texts try to be markup, links, pictures and scripts wherever a page shows them."""

from __future__ import annotations

from pathlib import Path

from tests.end_to_end.small import Estate, assume, event, squid_line

PICTURE = "http://beacon.invalid/seen.png"
HOSTILE = (
    "<img src=x onerror=\"window.owned='img'\">",
    "<script>window.owned='script'</script>",
    PICTURE,
    "text/html:<img src=x onerror=\"window.owned='mime'\">",
    "data:image/svg+xml,<svg onload=window.owned='svg'>",
    "[link](javascript:window.owned='markdown') ![p](http://beacon.invalid/markdown.png)",
    "</pre><marimo-ui-element><h1>owned</h1>",
)


def hostile_estate(root: Path) -> Estate:
    """A worker's calls, in and out of its scope, and tampering whose names are hostile; run to findings."""
    made = Estate(root)
    made.put(
        "trail",
        [event(second=second, userAgent=HOSTILE[second % len(HOSTILE)]) for second in range(20)]
        + [assume("ASIANEXT", second=50)],
    )
    made.put(
        "trail",
        [
            event(
                "DeleteTrail",
                second=100 + place,
                eventSource="cloudtrail.amazonaws.com",
                userAgent=text,
                requestParameters={"name": text},
                resources=[{"ARN": text, "accountId": "111122223333", "type": "AWS::CloudTrail::Trail"}],
            )
            for place, text in enumerate(HOSTILE)
        ],
    )
    lines = [squid_line(second, url="http://api.example/x") for second in range(10)]
    lines.append(squid_line(3600, url="http://far.invalid/<img/src=x/onerror=window.owned='url'>.png"))
    made.put("egress", "".join(lines))
    made.run()
    return made
