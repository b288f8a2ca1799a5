"""The DuckDB SQL behind `s3_access`: lines to fields by position, and those to actions."""

from __future__ import annotations

from pipelines.formats import aws_callers

_BUCKET_PARTS = {
    "ACCELERATE": "AccelerateConfiguration", "ACL": "Acl", "ANALYTICS": "AnalyticsConfiguration",
    "BUCKETPOLICY": "Policy", "CORS": "Cors", "ENCRYPTION": "Encryption", "INVENTORY": "InventoryConfiguration",
    "LIFECYCLE": "Lifecycle", "LOCATION": "Location", "LOGGING_STATUS": "Logging", "METRICS": "MetricsConfiguration",
    "NOTIFICATION": "Notification", "OBJECT_LOCK_CONFIGURATION": "ObjectLockConfiguration",
    "OWNERSHIP_CONTROLS": "OwnershipControls", "POLICY_STATUS": "PolicyStatus",
    "PUBLIC_ACCESS_BLOCK": "PublicAccessBlock", "REPLICATION": "Replication", "REQUEST_PAYMENT": "RequestPayment",
    "TAGGING": "Tagging", "VERSIONING": "Versioning", "WEBSITE": "Website",
}  # fmt: skip
"""Parts of a bucket's configuration: as this log calls them, and behind `GetBucket` in CloudTrail."""

_OBJECT_PARTS = {
    "ACL": "Acl", "OBJECT_TAGGING": "Tagging", "TAGGING": "Tagging", "OBJECT_LOCK_LEGALHOLD": "LegalHold",
    "OBJECT_LOCK_RETENTION": "Retention", "OBJECT_ATTRIBUTES": "Attributes", "TORRENT": "Torrent",
}  # fmt: skip

_OPERATIONS = {
    "REST.GET.OBJECT": "GetObject", "REST.HEAD.OBJECT": "HeadObject", "REST.PUT.OBJECT": "PutObject",
    "REST.POST.OBJECT": "PostObject", "REST.DELETE.OBJECT": "DeleteObject", "BATCH.DELETE.OBJECT": "DeleteObject",
    "REST.POST.MULTI_OBJECT_DELETE": "DeleteObjects", "REST.COPY.OBJECT": "CopyObject",
    "REST.COPY.OBJECT_GET": "GetObject", "REST.COPY.PART": "UploadPartCopy", "REST.COPY.PART_GET": "GetObject",
    "REST.POST.UPLOADS": "CreateMultipartUpload", "REST.PUT.PART": "UploadPart",
    "REST.POST.UPLOAD": "CompleteMultipartUpload", "REST.DELETE.UPLOAD": "AbortMultipartUpload",
    "REST.GET.UPLOAD": "ListParts", "REST.GET.UPLOADS": "ListMultipartUploads", "REST.POST.RESTORE": "RestoreObject",
    "REST.GET.BUCKET": "ListObjects", "REST.GET.BUCKETVERSIONS": "ListObjectVersions",
    "REST.HEAD.BUCKET": "HeadBucket", "REST.PUT.BUCKET": "CreateBucket", "REST.DELETE.BUCKET": "DeleteBucket",
    "REST.GET.SERVICE": "ListBuckets", "WEBSITE.GET.OBJECT": "GetObject", "WEBSITE.HEAD.OBJECT": "HeadObject",
}  # fmt: skip
"""Operations of this log, and what CloudTrail calls them."""

_VERBS = {"GET": "Get", "PUT": "Put", "DELETE": "Delete"}

_HEAD = r"^(\S+) (\S+) \[([^\]]*)\] (\S+) (\S+) (\S+) (\S+) (\S+) (.*)$"
_HEAD_NAMES = ("owner", "bucket", "clock", "remote_ip", "requester", "request_id", "operation", "object_key", "rest")
"""What the service writes, before any of the caller's own words."""

_NUMBER = r"([0-9]+|-)"
_RESULT = rf'([0-9]{{3}}|-) ([^\s"]+) {_NUMBER} {_NUMBER} {_NUMBER} {_NUMBER}'
_RESULT_NAMES = ("code", "error_code", "sent", "size", "total_ms", "own_ms")
_BARE = rf"^- {_RESULT} (.*)$"
_QUOTED = rf'^"(.*)" {_RESULT} (".*)$'

_REFUSED = (
    "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "InvalidSecurity",
    "RequestTimeTooSkewed", "AuthorizationHeaderMalformed", "AuthorizationQueryParametersError", "TokenRefreshRequired",
    "NotSignedUp", "MissingSecurityHeader",
)  # fmt: skip
"""Error codes of requests whose signature or token S3 did not accept."""

_UPLOADS = "('REST.PUT.OBJECT', 'REST.POST.OBJECT', 'REST.PUT.PART')"


def known(text: str) -> str:
    """SQL: the text, null where it is the dash for `unknown` or empty."""
    return f"nullif(nullif({text}, '-'), '')"


def _struct(text: str, pattern: str, names: tuple[str, ...]) -> str:
    listed = ", ".join(f"'{name}'" for name in names)
    return f"regexp_extract({text}, '{pattern}', [{listed}], 's')"


_SPLIT = f"SELECT record_id, raw, {_struct('coalesce(raw, chr(32))', _HEAD, _HEAD_NAMES)} AS h FROM records"
"""A row a record: what stands before the request, all empty where it is no line of this log."""

_BEHIND = f"""
SELECT record_id, raw, {", ".join(f"{known(f'h.{name}')} AS {name}" for name in _HEAD_NAMES)},
    -- Quotes are doubled, so that two readings that touch are counted as two.
    len(regexp_extract_all(replace(h.rest, '"', '""'), '" {_RESULT} "')) AS readings,
    {_struct("h.rest", _BARE, (*_RESULT_NAMES, "behind"))} AS bare,
    {_struct("h.rest", _QUOTED, ("uri", *_RESULT_NAMES, "behind"))} AS quoted
FROM split
"""
"""A row a record: the head's fields, and what stands behind it with and without a request."""

_FIELDS = f"""
SELECT record_id, raw, {", ".join(_HEAD_NAMES)},
    bare.behind <> '' OR readings > 0 AS matches,
    CASE WHEN bare.behind = '' AND readings = 1 THEN {known("quoted.uri")} END AS uri,
    {
    ", ".join(
        f"CASE WHEN bare.behind <> '' THEN {known(f'bare.{name}')} WHEN readings = 1 THEN {known(f'quoted.{name}')} END"
        f" AS {name}"
        for name in _RESULT_NAMES
    )
},
    CASE WHEN bare.behind <> '' THEN bare.behind WHEN readings = 1 THEN quoted.behind END AS behind,
    -- Behind the last quote there is nothing of the caller's but the host that it named.
    CASE WHEN contains(rest, '"') AND readings > 0 THEN regexp_extract(rest, '^.*" ([^"]*)$', 1, 's')
         ELSE regexp_extract(bare.behind, '^- - (.*)$', 1, 's') END AS tail
FROM behind
"""
"""A row a record: all fields by position."""

_MICROS = "epoch_us(try_strptime(clock, '%d/%b/%Y:%H:%M:%S %z'))"
_KEY_IN_QUERY = "(?i:X-Amz-Credential=|AWSAccessKeyId=)([A-Z0-9]{16,128})(?:[/& ]|$)"

_NAMED = f"""
SELECT *,
    CASE WHEN {_MICROS} BETWEEN 0 AND 253402300799999999 THEN make_timestamp({_MICROS}) END AS time,
    split_part(operation, '.', 2) AS method,
    try_cast(code AS INTEGER) AS status_number,
    -- Encoded as in a form: a space is a plus.
    coalesce(try(url_decode(replace(object_key, '+', ' '))), object_key) AS item,
    string_split(tail, ' ') AS last,
    'arn:' || coalesce(nullif(regexp_extract(requester, '^arn:([a-z-]+):', 1), ''), 'aws') || ':s3:::' AS arn,
    regexp_extract(behind, '^(.*")[^"]*$', 1, 's') AS agents,
    -- The key of a presigned URL, where the query names one and no more.
    list_filter([regexp_extract_all(coalesce(try(url_decode(uri)), uri), '{_KEY_IN_QUERY}', 1)],
                lambda found: len(found) = 1)[1][1] AS signing_key
FROM fields
"""
"""A row a record: its fields as what they mean."""

_STATUS = """CASE WHEN status_number IN (401, 403) THEN 'denied' WHEN status_number >= 400 THEN 'failure'
    WHEN status_number BETWEEN 100 AND 399 THEN 'success' ELSE 'unknown' END"""

_TOLD = f"""
SELECT *, {_STATUS} AS status,
    coalesce(list_contains([{", ".join(f"'{code}'" for code in _REFUSED)}], error_code), false)
        OR coalesce(status_number = 401, false) AS refused,
    CASE WHEN last[5] = 'QueryString' THEN signing_key END AS presigning_key,
    -- `"REFERER" "USER AGENT"`: where a quote, a space and a quote stand in them only once, it is known which is which.
    CASE WHEN starts_with(agents, '- "') THEN agents[4:-2]
         WHEN len(string_split(agents, '" "')) = 2 THEN string_split(agents, '" "')[2][:-2] END AS agent
FROM named
"""
"""A row a record: what became of the request."""


def _operation() -> str:
    """SQL: CloudTrail's name of the operation."""
    fixed = " ".join(f"WHEN '{name}' THEN '{api}'" for name, api in _OPERATIONS.items())
    of_object = " ".join(
        f"WHEN item IS NOT NULL AND operation = 'REST.{verb}.{part}' THEN '{api}Object{name}'"
        for verb, api in _VERBS.items()
        for part, name in _OBJECT_PARTS.items()
    )
    of_bucket = " ".join(
        f"WHEN operation = 'REST.{verb}.{part}' THEN '{api}Bucket{name}'"
        for verb, api in _VERBS.items()
        for part, name in _BUCKET_PARTS.items()
    )
    return f"CASE {of_object} {of_bucket} ELSE CASE operation {fixed} ELSE operation END END"


_ACTIVITY = """CASE WHEN operation IN ('REST.POST.MULTI_OBJECT_DELETE', 'S3.EXPIRE.OBJECT') OR method = 'DELETE'
    THEN 'Delete'
    WHEN operation LIKE 'REST.COPY.%_GET' OR method IN ('GET', 'HEAD') THEN 'Read'
    WHEN operation IN ('REST.PUT.BUCKET', 'REST.POST.UPLOADS') THEN 'Create'
    WHEN method IN ('PUT', 'POST', 'COPY') THEN 'Update' ELSE 'Other' END"""

_COLUMNS = {
    # One request is several lines where it names several objects; a line that is delivered twice is one action.
    "native_id": "bucket || '/' || request_id || '/' || operation || coalesce('/' || object_key, '')"
    f" || coalesce('#' || {known('last[1]')}, '')",
    "time": "time",
    "time_kind": "'start'",
    "time_precision": "'1s'",
    "class_uid": "6003",
    "activity": _ACTIVITY,
    "api_service": "'s3.amazonaws.com'",
    "api_operation": _operation(),
    "principal": aws_callers.principal("requester"),
    "principal_type": aws_callers.principal_type("requester"),
    "credential_uid": "'aws:key/' || presigning_key",
    "credential_type": """CASE WHEN starts_with(presigning_key, 'ASIA') THEN 'temporary_key'
        WHEN presigning_key IS NOT NULL THEN 'access_key' END""",
    "identity_strength": "CASE WHEN requester IS NULL OR refused THEN 'asserted' ELSE 'proven' END",
    "session_name": aws_callers.session_name("requester"),
    "src_ip": "remote_ip",
    "user_agent": known("agent"),
    "http_method": "CASE WHEN regexp_full_match(method, 'GET|HEAD|PUT|POST|DELETE|OPTIONS') THEN method END",
    "status": "status",
    "status_code": "coalesce(error_code, code)",
    "error": "error_code",
    "duration_ms": "try_cast(total_ms AS BIGINT)",
    "bytes_out": f"CASE WHEN operation IN {_UPLOADS} AND status = 'success' THEN try_cast(size AS BIGINT) END",
    "bytes_in": "coalesce(try_cast(sent AS BIGINT), CASE WHEN status_number IS NOT NULL THEN 0 END)",
    "resource_type": "CASE WHEN item IS NOT NULL THEN 'AWS::S3::Object' ELSE 'AWS::S3::Bucket' END",
    "resource_uid": "arn || bucket || coalesce('/' || item, '')",
    "resources": "CASE WHEN item IS NULL THEN [arn || bucket] ELSE [arn || bucket || '/' || item, arn || bucket] END",
    "request_uid": "request_id",
}  # fmt: skip
"""Every action column that this format fills, as SQL over the fields."""

ACTION_COLUMNS = frozenset(_COLUMNS) - {"native_id"}

_REASON = """CASE
    WHEN trim(coalesce(raw, '')) = '' THEN 'not a line of an S3 server access log: it is blank'
    WHEN starts_with(ltrim(raw), '{')
    THEN 'not a line of an S3 server access log: it is JSON, as CloudWatch Logs gets these logs; that form is not read'
    WHEN bucket IS NULL OR operation IS NULL OR NOT matches
    THEN 'not a line of an S3 server access log: its fields are not those of the format'
    WHEN time IS NULL THEN 'no time between 1970 and 9999 in the brackets' END"""


def actions_sql() -> str:
    """One row a record of `records`, in the columns of ACTIONS_OUT that are filled."""
    steps = {"split": _SPLIT, "behind": _BEHIND, "fields": _FIELDS, "named": _NAMED, "told": _TOLD,
             "judged": f"SELECT *, {_REASON} AS reason FROM told"}  # fmt: skip
    named = ", ".join(f"{name} AS ({sql})" for name, sql in steps.items())
    columns = ", ".join(f"CASE WHEN reason IS NULL THEN {sql} END AS {name}" for name, sql in _COLUMNS.items())
    return f"""WITH {named}
        SELECT record_id, reason, CASE WHEN reason IS NULL THEN 'action' ELSE 'error' END AS outcome, {columns}
        FROM judged"""
