"""Lists the newest backups of a bucket, in a process of its own.

boto3 costs a quarter of a second and 40 MB, so it lives and dies here. The request comes on
standard input as one JSON object (credentials never stand in the arguments or the
environment); objects go out as JSON lines, then one line that ends or explains.
"""

import json
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from console.links.http.answer import Answer, skew_by_date
from console.links.s3.listing import (
    MOST_PAGES,
    TooManyKeysError,
    list_newest,
    literal_prefix,
)
from console.model.backups import StoredObject

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

_ATTEMPTS: Final = 2
_METADATA_SECONDS: Final = 1


class _Lister:
    """Pages of one bucket, with the clock of the server that gave them."""

    def __init__(self, client: "S3Client", bucket: str, prefix: str) -> None:
        self._client = client
        self._bucket = bucket
        self._prefix = prefix
        self.skew: float | None = None

    def pages(self, after: str) -> Iterator[list[StoredObject]]:
        """Pages of the keys that follow `after`."""
        from botocore.parsers import ResponseParserError

        token = ""
        while True:
            more: dict[str, Any] = {"ContinuationToken": token} if token else {}
            if after and not token:
                more["StartAfter"] = after
            asked_at = time.time()
            page = self._client.list_objects_v2(Bucket=self._bucket, Prefix=self._prefix, **more)
            if "Name" not in page:  # a login page in good XML would read as an empty bucket
                raise ResponseParserError("no ListBucketResult")
            self._hear_clock(page["ResponseMetadata"], asked_at)
            yield [
                StoredObject(
                    item["Key"],
                    item["Size"],
                    item["LastModified"].timestamp(),
                    item.get("StorageClass", "STANDARD"),
                )
                for item in page.get("Contents", ())
            ]
            following = page.get("NextContinuationToken", "")
            if not page.get("IsTruncated") or not following or following == token:
                return
            token = following

    def _hear_clock(self, metadata: Mapping[str, Any], asked_at: float) -> None:
        headers = metadata.get("HTTPHeaders", {})
        self.skew = skew_by_date(Answer(200, headers, b"", asked_at, time.time(), 0.0))


def _client(request: Mapping[str, Any]) -> "S3Client":
    import boto3
    import botocore.session
    from botocore.config import Config

    core = botocore.session.Session()
    # Outside of AWS nothing answers there, and the question would hang.
    core.set_config_variable("metadata_service_timeout", _METADATA_SECONDS)
    core.set_config_variable("metadata_service_num_attempts", 1)
    session = boto3.Session(
        aws_access_key_id=request.get("access_key"),
        aws_secret_access_key=request.get("secret_key"),
        profile_name=request.get("profile") or None,
        region_name=request.get("region") or None,
        botocore_session=core,
    )
    endpoint = request.get("endpoint") or None
    seconds = max(1.0, float(request["seconds"]) / _ATTEMPTS)
    config = Config(
        connect_timeout=min(5.0, seconds),
        read_timeout=seconds,
        retries={"total_max_attempts": _ATTEMPTS, "mode": "standard"},
        s3={"addressing_style": "path" if endpoint else "auto"},
        user_agent_extra="cofa",
    )
    region = session.region_name or ("us-east-1" if endpoint else None)
    return session.client(
        "s3",
        endpoint_url=endpoint,
        region_name=region,
        verify=request.get("ca") or None,
        config=config,
    )


def run(request: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The lines that answer `request`."""
    from console.links.s3.errors import explain

    try:
        lister = _Lister(_client(request), request["bucket"], literal_prefix(request["pattern"]))
        found = list_newest(lister.pages, request["pattern"], request["now"])
    except TooManyKeysError:
        yield {
            "kind": "unsupported",
            "why": f"gave up after {MOST_PAGES},000 keys under its prefix",
            "remedy": "give a pattern whose keys begin with a narrower prefix and %Y%m%d",
        }
        return
    except Exception as error:  # whatever boto3 raises, in words; never a trace with a request
        kind, why, remedy = explain(error, request["bucket"])
        yield {"kind": kind, "why": why, "remedy": remedy}
        return
    for item in found.objects:
        yield {"object": [item.key, item.size, item.modified_at, item.storage_class]}
    yield {"others": found.others, "complete": found.complete, "skew": lister.skew}


def main() -> int:
    """Answer the one request on standard input."""
    # Before the request is there: a child may be started while its parent still loads.
    import boto3  # noqa: F401
    import botocore.session  # noqa: F401

    request = json.loads(sys.stdin.buffer.read())
    # Not even a parent killed with -9 leaves this process behind.
    signal.alarm(int(request["seconds"]) + 2)
    for line in run(request):
        sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()
    return 0
