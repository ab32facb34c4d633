"""`Writer`: sends the requests of uploads, and remembers which features the service refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from bakthat.adapters.aws.answer import Answer, ask
from bakthat.adapters.aws.s3_bucket import Bucket
from bakthat.adapters.aws.s3_features import Learnt
from bakthat.adapters.aws.s3_head import check_not_a_web_site
from bakthat.adapters.aws.s3_part_body import PartBody, crc
from bakthat.adapters.aws.s3_write_claim import WriteClaims
from bakthat.errors import AccessDenied


class Writer:
    """Sends requests that write into one bucket, from any number of threads. Lives as long as the store."""

    def __init__(self, bucket: Bucket) -> None:
        self.bucket = bucket
        self.single = Learnt(must_look=not bucket.trusted)
        """What is known about writing with a single request."""
        self.in_parts = Learnt(must_look=not bucket.trusted)
        """What is known about writing in parts."""
        self._is_s3 = bucket.trusted
        self._said: set[str] = set()
        self.claims: WriteClaims | None = None
        """Keep two writers of one key apart where the service may not; None where it does."""
        if bucket.claims:
            self.claims = WriteClaims(
                client=bucket.client,
                bucket=bucket.name,
                prefix=bucket.prefix,
                pause=bucket.pause,
                write=self._put_small,
            )

    @property
    def encryption(self) -> dict[str, Any]:
        """What a request says about the encryption of what it stores."""
        encryption = {"ServerSideEncryption": self.bucket.sse, "SSEKMSKeyId": self.bucket.kms_key_id}
        return {name: value for name, value in encryption.items() if value is not None}

    def tell_once(self, line: str) -> None:
        """Give this notice, unless it was given before."""
        if line not in self._said:
            self._said.add(line)
            self.bucket.notice(line)

    def check_not_a_web_site(self, where: dict[str, str], what: str) -> None:
        """Raise `StoreError` if every name seems to be taken, since the server is a web site."""
        if not self._is_s3:
            check_not_a_web_site(self.bucket.client, where, what)
            self._is_s3 = True

    def _put_small(self, key: str, content: bytes) -> None:
        view = memoryview(content)
        request = {"Bucket": self.bucket.name, "Key": key, "Body": PartBody(view), "ChecksumCRC32": crc(view)}
        request.update(self.encryption)
        self.write(self.single, key, self.bucket.client.put_object, request, unconditional=True)

    def write(
        self, learnt: Learnt, what: str, operation: Callable[..., Any], request: dict[str, Any], *, unconditional: bool
    ) -> tuple[Answer, dict[str, Any]]:
        """Send a request that writes. If the service refuses a header, or demands one, send it again accordingly, and
        remember that in `learnt`.

        Args:
            learnt: What is known about this way of writing; updated.
            what: Names the object in messages.
            operation: A method of the client.
            request: Its arguments.
            unconditional: Whether it may be sent without its condition.

        Returns:
            The answer, and the request as it was answered.
        """
        features = learnt.features
        while True:
            sent = features.fitted(request)
            if "Body" in request:
                request["Body"].seek(0)  # botocore sends from the current position
            try:
                answer = ask(what, operation, **sent)
            except ClientError as error:
                left = features.after(error, sent)
                if left is None:
                    raise
                if features.condition and not left.condition and not unconditional:
                    raise AccessDenied(CANNOT_LOOK.format(self.bucket.name)) from error
                features = left
                continue
            learnt.features = learnt.features.both(features)
            return answer, sent


CANNOT_LOOK = (
    "s3://{}: this service cannot refuse to overwrite, and the credentials do not allow checking what exists; "
    "allow s3:GetObject"
)
