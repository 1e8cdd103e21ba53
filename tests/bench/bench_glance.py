"""`cofa glance`, whole process, against the shell pipeline that it replaces."""

from pathlib import Path
from typing import Any

from measure import command, paired

PIPELINE = Path(__file__).parent / "pipeline.sh"
CODES = frozenset({0, 1, 2})


def run(bench: Any) -> None:
    """From nothing, and with kept Readings within their sources' pace."""
    stand = bench.stand
    edge = stand.edges[0]
    pipeline = command(
        ["sh", str(PIPELINE)],
        bench.environ
        | {
            "DOCKER_HOST": stand.docker.host,
            "PROJECT": stand.compose.project,
            "CA": edge.ca_file,
            "HTTPS_PORT": str(edge.https_port),
            "DOMAIN": edge.domain,
            "PROMETHEUS": stand.prometheus,
            "S3": stand.s3.endpoint,
            "BUCKET": stand.s3.bucket,
            "PATH": f"{Path(stand.aws).parent}:{bench.environ['PATH']}",
            "AWS_ACCESS_KEY_ID": stand.s3.access_key,
            "AWS_SECRET_ACCESS_KEY": stand.s3.secret_key,
            "AWS_DEFAULT_REGION": stand.s3.region,
        },
    )
    glance = [bench.cofa, "glance", "--json"]
    fresh = command(glance, bench.environ, before=bench.clean, codes=CODES)
    print(paired("glance from nothing", fresh, "pipeline", pipeline).line(1.2))
    seed = command(glance, bench.environ, codes=CODES)
    seed()
    kept = command(glance, bench.environ, codes=CODES)
    # One glance in between keeps the Readings of short pace fresh; it is not counted.
    print(
        paired("glance on kept Readings", lambda: (seed(), kept())[1], "pipeline", pipeline).line(
            0.4
        )
    )
