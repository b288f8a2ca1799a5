"""What pulling costs: CPU of finding, expanding, splitting, hashing, redacting and spooling gzipped CloudTrail
objects, against `gunzip | sha256sum` over the same files.

    python benchmarks/pull.py [--records 500000] [--profile]

The goal is a ratio below 3.
"""

from __future__ import annotations

import argparse
import cProfile
import gzip
import json
import pstats
import random
import resource
import subprocess
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from pipelines.formats import all_formats
from pipelines.pull.checkpoints import Checkpoints
from pipelines.pull.files import pull
from pipelines.settings import Source

RECORDS_AN_OBJECT = 2_000
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
    role, session = f"worker-{dice.randrange(40)}", f"run-{dice.randrange(10_000)}"
    key = f"ASIA{dice.getrandbits(80):020X}"[:20]
    bucket, item = f"reports-{dice.randrange(30)}", f"cases/2026/{dice.randrange(10**6)}/export-{number}.parquet"
    response = (
        {
            "credentials": {
                "accessKeyId": key,
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
        "eventID": str(dice.getrandbits(128)),
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


def measure(folder: Path, spool: Path) -> tuple[float, int]:
    """Seconds of CPU that pulling the folder takes, and the records."""
    cloudtrail = all_formats()["cloudtrail"]
    source = Source("trail", cloudtrail, "trail", "*.json.gz", folder, cloudtrail.options(), keep_secrets=False)
    before = time.process_time()
    records = 0
    for item in pull(source, Checkpoints(), spool, key=b"k" * 32, now=datetime(2030, 1, 1)):
        records += item.records
        if item.spool_file:
            item.spool_file.unlink()
    return time.process_time() - before, records


def main() -> None:
    """Print both costs and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=500_000)
    parser.add_argument("--profile", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder, spool = Path(name) / "logs", Path(name) / "spool"
        folder.mkdir()
        expanded = write_objects(folder, asked.records)
        started = children_cpu()
        subprocess.run(
            "cat *.json.gz | gunzip | sha256sum", shell=True, check=True, cwd=folder, stdout=subprocess.DEVNULL
        )
        floor = children_cpu() - started
        profile = cProfile.Profile()
        if asked.profile:
            profile.enable()
        cost, records = measure(folder, spool)
        profile.disable()
        if asked.profile:
            pstats.Stats(profile).sort_stats("tottime").print_stats(25)
    print(f"{records:,} records, {expanded / 1e6:,.0f} MB expanded")
    print(f"gunzip | sha256sum  {floor:6.1f} s CPU")
    print(f"pull                {cost:6.1f} s CPU")
    print(f"ratio               {cost / floor:6.2f}")


if __name__ == "__main__":
    main()
