"""An emulation of how bakthat 0.6 (2013) worked, without its encryption: a whole archive in a temporary file, made by
`tarfile` at gzip level 9, then one PUT; a restore is one GET into a temporary file.

    python -m benchmarks.way_of_2013 backup|restore PATH URL BUCKET
"""

from __future__ import annotations

import os
import sys
import tarfile
import tempfile
from typing import Any

KEY = "benchmark.tgz"


def backup(source: str, client: Any, bucket: str) -> None:
    with tempfile.TemporaryFile() as out:
        with tarfile.open(fileobj=out, mode="w:gz", compresslevel=9) as tar:
            tar.add(source, arcname=os.path.basename(source))
        out.seek(0)
        client.put_object(Bucket=bucket, Key=KEY, Body=out)


def restore(target: str, client: Any, bucket: str) -> None:
    with tempfile.TemporaryFile() as packed:
        client.download_fileobj(bucket, KEY, packed)
        packed.seek(0)
        with tarfile.open(fileobj=packed, mode="r:gz") as tar:
            tar.extractall(target, filter="fully_trusted")


def main(verb: str, path: str, url: str, bucket: str) -> None:
    import boto3

    client = boto3.client("s3", endpoint_url=url)
    {"backup": backup, "restore": restore}[verb](path, client, bucket)


if __name__ == "__main__":
    main(*sys.argv[1:])
