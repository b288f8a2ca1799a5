"""Made-up CloudTrail objects as assumed roles write them, and what processes cost: shared by the benchmarks here."""

from __future__ import annotations

import gzip
import json
import os
import random
import resource
import subprocess
import uuid
from datetime import UTC, datetime
from pathlib import Path

RECORDS_AN_OBJECT = 2_000
RUNS_AT_ONCE, CALLS_A_RUN = 20, 1_000
"""Sessions whose calls are mixed, and how many calls they make together before others follow (50 each)."""
ACCOUNT = "111122223333"
SERVICES = [
    ("s3", "GetObject"),
    ("s3", "PutObject"),
    ("sts", "AssumeRole"),
    ("ec2", "DescribeInstances"),
    ("kms", "Decrypt"),
]
AGENT = "[aws-sdk-java/2.31.9 md/io#sync md/http#Apache ua/2.1 os/Linux#6.1 lang/java#21.0.6 md/vendor#Amazon.com_Inc.]"


def event(dice: random.Random, number: int) -> dict[str, object]:
    """A CloudTrail event as assumed roles write it, some 1.6 kB long."""
    service, name = dice.choice(SERVICES)
    run = number // CALLS_A_RUN * RUNS_AT_ONCE + dice.randrange(RUNS_AT_ONCE)
    role, session, key = f"worker-{run % 40}", f"run-{run}", f"ASIA{run:016X}"
    bucket, item = f"reports-{dice.randrange(30)}", f"cases/2026/{dice.randrange(10**6)}/export-{number}.parquet"
    response = (
        {
            "credentials": {
                "accessKeyId": f"ASIA{dice.getrandbits(64):016X}",
                "sessionToken": f"{dice.getrandbits(1600):x}",
                "expiration": "Mar 2, 2026",
            }
        }
        if name == "AssumeRole"
        else None
    )
    return {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "AssumedRole",
            "principalId": f"AROA{role.upper()}EXAMPLE:{session}",
            "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{session}",
            "accountId": ACCOUNT,
            "accessKeyId": key,
            "sessionContext": {
                "sessionIssuer": {
                    "type": "Role",
                    "principalId": f"AROA{role.upper()}EXAMPLE",
                    "arn": f"arn:aws:iam::{ACCOUNT}:role/{role}",
                    "accountId": ACCOUNT,
                    "userName": role,
                },
                "attributes": {"creationDate": "2026-03-01T08:00:00Z", "mfaAuthenticated": "false"},
            },
        },
        "eventTime": datetime.fromtimestamp(1_772_000_000 + number / 50, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventSource": f"{service}.amazonaws.com",
        "eventName": name,
        "awsRegion": "eu-west-1",
        "sourceIPAddress": f"10.{dice.randrange(256)}.{dice.randrange(256)}.{dice.randrange(256)}",
        "userAgent": AGENT,
        "requestParameters": {"bucketName": bucket, "Host": f"{bucket}.s3.eu-west-1.amazonaws.com", "key": item},
        "responseElements": response,
        "additionalEventData": {
            "SignatureVersion": "SigV4",
            "CipherSuite": "TLS_AES_128_GCM_SHA256",
            "bytesTransferredIn": dice.randrange(10**6),
            "AuthenticationMethod": "AuthHeader",
            "bytesTransferredOut": dice.randrange(10**6),
        },
        "requestID": f"{dice.getrandbits(64):016X}",
        "eventID": str(uuid.UUID(int=dice.getrandbits(128), version=4)),
        "readOnly": True,
        "resources": [
            {"type": "AWS::S3::Object", "ARN": f"arn:aws:s3:::{bucket}/{item}"},
            {"accountId": ACCOUNT, "type": "AWS::S3::Bucket", "ARN": f"arn:aws:s3:::{bucket}"},
        ],
        "eventType": "AwsApiCall",
        "managementEvent": False,
        "recipientAccountId": ACCOUNT,
        "eventCategory": "Data",
        "tlsDetails": {"tlsVersion": "TLSv1.3", "clientProvidedHostHeader": f"{bucket}.s3.eu-west-1.amazonaws.com"},
    }


def write_objects(folder: Path, records: int) -> int:
    """Gzipped objects of made-up events; the bytes that they expand to."""
    dice = random.Random(7)
    total = 0
    for first in range(0, records, RECORDS_AN_OBJECT):
        events = [event(dice, number) for number in range(first, min(first + RECORDS_AN_OBJECT, records))]
        text = json.dumps({"Records": events}, separators=(",", ":")).encode()
        total += len(text)
        (folder / f"{ACCOUNT}_CloudTrail_eu-west-1_{first:09}.json.gz").write_bytes(gzip.compress(text, 6))
    return total


def children_cpu() -> float:
    """Seconds of CPU that ended child processes took."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def floor(folder: Path) -> float:
    """Seconds of CPU of `gunzip | sha256sum` over the objects."""
    started = children_cpu()
    subprocess.run("cat *.json.gz | gunzip | sha256sum", shell=True, check=True, cwd=folder, stdout=subprocess.DEVNULL)
    return children_cpu() - started


def child(command: list[str]) -> tuple[float, float]:
    """Run a command by itself: its seconds of CPU, and its peak memory in MB."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command[:3]} ended with {process.returncode}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1000
