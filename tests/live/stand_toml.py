"""cofa.toml for the stand, as its operators would write it."""

from typing import Any

TEMPLATE = """\
version = 1
default = "production"

[environments.production]
engine = "{engine}"
projects = ["{project}"]
backend = "{project}/{backend}"

{edges}
[environments.production.prometheus]
url = "{prometheus}"

[environments.production.alertmanager]
url = "{alertmanager}"

[environments.production.backups]
bucket = "{bucket}"
pattern = "{prefix}shop_prod_%Y%m%d_%H%M%S.backup"
endpoint = "{endpoint}"
region = "{region}"
access_key = {{ env = "STAND_S3_KEY" }}
secret_key = {{ env = "STAND_S3_SECRET" }}
"""
EDGE = """\
[[environments.production.edges]]
name = "{name}"
url = "https://{domain}"
connect = "127.0.0.1:{https}"
http_connect = "127.0.0.1:{http}"
ca = "{ca}"
replica = "{project}-{name}-1"

"""


def stand_toml(stand: Any, engine: str = "") -> str:
    """The file's text; the engine is reached locally unless `engine` says otherwise."""
    edges = "".join(
        EDGE.format(
            name=edge.service,
            domain=edge.domain,
            https=edge.https_port,
            http=edge.http_port,
            ca=edge.ca_file,
            project=stand.compose.project,
        )
        for edge in stand.edges
    )
    return TEMPLATE.format(
        engine=engine or stand.docker.host,
        project=stand.compose.project,
        backend=stand.compose.backend,
        edges=edges,
        prometheus=stand.prometheus,
        alertmanager=stand.alertmanager,
        bucket=stand.s3.bucket,
        prefix=stand.s3.prefix,
        endpoint=stand.s3.endpoint,
        region=stand.s3.region,
    )


def stand_secrets(stand: Any) -> dict[str, str]:
    """The variables that the file's secrets come from."""
    return {"STAND_S3_KEY": stand.s3.access_key, "STAND_S3_SECRET": stand.s3.secret_key}
