"""Services whose answers are not Amazon's: what they leave out, and web sites that are taken for one."""

from __future__ import annotations

import io
import re
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from attrs import evolve

from bakthat.adapters.aws.s3 import S3ObjectStore, s3_client
from bakthat.adapters.aws.s3_archive_class import S3ColdStore
from bakthat.errors import AccessDenied, ConfigError, ObjectExists, ObjectNotFound, StoreError, StoreUnavailable
from bakthat.testing.faulty_proxy import Answer, Doing, Fault, FaultyProxy, Forward, Request, answering
from bakthat.testing.object_store_contract import some_bytes
from tests.fixtures.s3_servers import fresh_store, s3_profile, shared_bucket

FOREVER = 10_000
MIB = 1024 * 1024


class Service:
    """A real server behind a proxy that changes its answers."""

    def __init__(self, proxy: FaultyProxy, url: str) -> None:
        self.proxy = proxy
        self.direct = fresh_store(url)
        self.bucket = shared_bucket(url)
        self.prefix = self.direct.location.rpartition("/")[2] + "/"

    def store(self, **settings: Any) -> S3ObjectStore:
        client = s3_client(s3_profile(self.proxy.url, bucket=False), retries={"total_max_attempts": 2})
        return S3ObjectStore(client, self.bucket, **{"prefix": self.prefix, **settings})

    def always(self, on: str, does: Doing) -> None:
        self.proxy.inject(Fault(on, does, times=FOREVER))

    def holds(self, *keys: str) -> None:
        for key in keys:
            self.direct.put(key, io.BytesIO(key.encode()))


@pytest.fixture
def service(moto_url: str) -> Iterator[Service]:
    with FaultyProxy(moto_url) as proxy:
        yield Service(proxy, moto_url)


def leaving_out(*headers: str) -> Doing:
    def doing(request: Request, forward: Forward) -> Answer:
        answer = forward(request)
        answer.headers = [pair for pair in answer.headers if pair[0].lower() not in headers]
        return answer

    return doing


def rewriting(pattern: str, replacement: str) -> Doing:
    """The body of the answer is another one."""

    def doing(request: Request, forward: Forward) -> Answer:
        answer = forward(request)
        answer.body = re.sub(pattern.encode(), replacement.encode(), answer.body)
        answer.headers = [pair for pair in answer.headers if pair[0].lower() != "content-length"]
        return answer

    return doing


def asking_otherwise(*without: str, then: Doing | None = None, **instead: str) -> Doing:
    """The server does not know these parameters of a query, or takes others."""

    def doing(request: Request, forward: Forward) -> Answer:
        parts = urllib.parse.urlsplit(request.target)
        query = dict(urllib.parse.parse_qsl(parts.query, keep_blank_values=True))
        for name in without:
            query.pop(name, None)
        changed = evolve(request, target=parts._replace(query=urllib.parse.urlencode({**query, **instead})).geturl())
        return then(changed, forward) if then else forward(changed)

    return doing


NO_TOKEN = rewriting("<NextContinuationToken>.*?</NextContinuationToken>", "")
KEYS = [f"k{number}" for number in range(7)]


def listed(store: S3ObjectStore) -> list[str]:
    return [info.key for info in store.list()]


# listings


def test_a_truncated_listing_without_a_token_continues_after_its_last_key(service: Service):
    service.holds(*KEYS)
    service.always("ListObjectsV2", NO_TOKEN)
    assert listed(service.store(page=2)) == KEYS


def test_a_service_with_only_the_first_version_of_listings_is_listed_by_it(service: Service):
    service.holds(*KEYS)
    first_version = asking_otherwise("list-type", "start-after", "continuation-token")
    service.always("ListObjectsV2", first_version)
    service.always("ListObjects", rewriting("<NextMarker>.*?</NextMarker>", ""))
    assert listed(service.store(page=2)) == KEYS
    assert service.proxy.operations.count("ListObjects") == 3


def test_the_marker_of_the_first_version_is_used(service: Service):
    service.holds(*KEYS)
    service.always("ListObjectsV2", asking_otherwise("list-type", "start-after"))
    marker = f"<NextMarker>{service.prefix}k5</NextMarker>"
    service.proxy.inject(Fault("ListObjects", rewriting("<NextMarker>.*?</NextMarker>", marker)))
    assert listed(service.store(page=2)) == ["k0", "k1", "k2", "k3", "k6"], "k4 and k5 are what this marker skips"


@pytest.mark.parametrize("amazon", [False, True])
def test_a_listing_that_repeats_its_token_is_an_error(service: Service, amazon: bool):
    service.holds(*KEYS)
    service.always("ListObjectsV2", asking_otherwise("continuation-token"))
    service.always("ListObjects", asking_otherwise("marker"))
    with pytest.raises(StoreError, match=r"the listing does not continue after 2 keys"):
        listed(service.store(page=2, amazon=amazon))
    assert len(service.proxy.requests) < 5


def test_a_listing_that_always_starts_again_is_an_error(service: Service):
    service.holds(*KEYS)
    service.always("ListObjectsV2", asking_otherwise("start-after", then=NO_TOKEN))
    service.always("ListObjects", asking_otherwise("marker"))
    with pytest.raises(StoreError, match=r"the listing does not continue after 2 keys.*not complete"):
        listed(service.store(page=2))


def test_an_unordered_listing_without_a_token_is_an_error(service: Service):
    service.holds(*KEYS)

    def unordered(request: Request, forward: Forward) -> Answer:
        answer = NO_TOKEN(request, forward)
        entries = re.findall(rb"<Contents>.*?</Contents>", answer.body, re.DOTALL)
        answer.body = answer.body.replace(entries[0] + entries[1], entries[1] + entries[0])
        return answer

    service.always("ListObjectsV2", unordered)
    with pytest.raises(StoreError, match="is not complete"):
        listed(service.store(page=2))


def test_a_page_that_does_not_say_whether_it_is_the_last_is_followed_by_the_next(service: Service):
    service.holds(*KEYS)
    service.always("ListObjectsV2", rewriting("<IsTruncated>.*?</IsTruncated>", ""))
    assert listed(service.store(page=2)) == KEYS


def test_a_truncated_page_without_any_key_is_an_error(service: Service):
    empty = rewriting("<IsTruncated>false</IsTruncated>", "<IsTruncated>true</IsTruncated>")
    service.always("ListObjectsV2", empty)
    with pytest.raises(StoreError, match="is not complete"):
        listed(service.store())


def test_a_listing_of_something_else_is_an_error(service: Service):
    service.holds("k")
    service.always("ListObjectsV2", rewriting("<Key>.*?</Key>", "<Key>elsewhere/k</Key>"))
    with pytest.raises(StoreError, match=r"lists 'elsewhere/k', which was not asked for"):
        listed(service.store())


@pytest.mark.parametrize("field", ["LastModified", "Size"])
def test_what_an_entry_of_a_listing_lacks_comes_from_head(service: Service, field: str):
    service.holds("k")
    service.always("ListObjectsV2", rewriting(f"<{field}>.*?</{field}>", ""))
    assert list(service.store().list()) == list(service.direct.list())


@pytest.mark.parametrize(
    "damage",
    [
        rewriting("<Key>.*?</Key>", ""),
        rewriting("<LastModified>.*?</LastModified>", "<LastModified>10000-01-01T00:00:00Z</LastModified>"),
        rewriting("<Size>.*?</Size>", "<Size>many</Size>"),
        rewriting("<ListBucketResult.*", "<html/>"),
        rewriting("(?s).*", ""),
        rewriting("(?s).*", "<html><body>hello</body></html>"),
        rewriting("(?s).*", "<!doctype html><br>"),
        rewriting("(?s).*", "{}"),
    ],
)
def test_a_listing_that_cannot_be_read_is_one_line(service: Service, damage: Doing):
    service.holds("k")
    service.always("ListObjectsV2", damage)
    with pytest.raises(StoreError, match=r"^s3://[^\n]*check endpoint_url[^\n]*$"):
        listed(service.store())


# single objects


@pytest.mark.parametrize("header", ["last-modified", "etag"])
def test_a_date_that_the_answer_to_head_lacks_comes_from_the_listing(service: Service, header: str):
    service.holds("k")
    expected = service.direct.stat("k")
    service.always("HeadObject", leaving_out(header))
    assert service.store().stat("k") == expected


def test_a_size_that_the_answer_to_head_lacks_comes_from_the_listing():
    entry = "<Key>k</Key><Size>3</Size><LastModified>2026-01-07T00:00:00Z</LastModified>"
    listing = f"<ListBucketResult><IsTruncated>false</IsTruncated><Contents>{entry}</Contents></ListBucketResult>"

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(200)
            self.send_header("ETag", '"x"')
            self.send_header("Last-Modified", "Wed, 07 Jan 2026 00:00:00 GMT")
            self.end_headers()

        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(listing.encode())

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        assert S3ObjectStore.from_profile(s3_profile(url, bucket=False)).stat("k").size == 3
        server.shutdown()


def test_an_object_without_any_date_is_an_error(service: Service):
    service.holds("k")
    service.always("HeadObject", leaving_out("last-modified"))
    service.always("ListObjectsV2", rewriting("<LastModified>.*?</LastModified>", ""))
    with pytest.raises(StoreError, match="lacks LastModified"):
        service.store().stat("k")


@pytest.mark.parametrize("status", [405, 501])
def test_without_head_get_is_used(service: Service, status: int):
    service.holds("k")
    expected = service.direct.stat("k")
    service.always("HeadObject", answering(status))
    store = service.store()
    assert store.stat("k") == expected
    store.put("k2", io.BytesIO(b"2"))
    with pytest.raises(ObjectExists):
        store.put("k2", io.BytesIO(b"2"))
    with pytest.raises(ObjectNotFound):
        store.stat("k3")


@pytest.mark.parametrize(
    ("by_get", "kind", "says"),
    [
        (answering(400, "ExpiredToken", "The token has expired."), AccessDenied, "expired or are invalid"),
        (answering(403, "SignatureDoesNotMatch"), AccessDenied, "secret key is wrong"),
        (answering(404, "NoSuchBucket"), StoreError, "the bucket does not exist"),
        (answering(400, "AuthorizationHeaderMalformed"), ConfigError, "wrong region"),
        (answering(400), StoreError, "region_name, and whether the credentials have expired"),
        (answering(404), StoreError, "check endpoint_url"),
    ],
)
def test_a_refusal_of_head_is_explained_by_get(service: Service, by_get: Doing, kind: type[Exception], says: str):
    service.always("HeadObject", answering(404 if "404" in repr(by_get) else 400))
    service.always("GetObject", by_get)
    with pytest.raises(kind, match=says):
        service.store().stat("k")


def test_a_missing_object_is_not_found(service: Service):
    with pytest.raises(ObjectNotFound):
        service.store().stat("k")
    with pytest.raises(ObjectNotFound):
        S3ColdStore(s3_client(s3_profile(service.proxy.url, bucket=False)), service.bucket).request("k")


@pytest.mark.parametrize("status", [400, 405, 501])
def test_a_write_continues_where_head_is_refused_without_a_reason(service: Service, status: int):
    service.always("HeadObject", answering(status))
    service.store().put("k", io.BytesIO(b"x"))
    assert listed(service.direct) == ["k"]


def test_the_answer_to_a_write_explains_what_head_does_not(service: Service):
    service.always("HeadObject", answering(400))
    service.always("PutObject", answering(400, "ExpiredToken", "The provided token has expired."))
    with pytest.raises(AccessDenied, match="expired"):
        service.store().put("k", io.BytesIO(b"x"))


def test_a_part_without_an_etag_is_an_error_and_leaves_nothing(service: Service):
    service.always("UploadPart", leaving_out("etag"))
    with pytest.raises(StoreError, match="answer to UploadPart lacks ETag"):
        service.store().put("k", io.BytesIO(bytes(30 * MIB)))
    assert listed(service.direct) == []
    assert service.proxy.operations[-1] == "AbortMultipartUpload"


def test_an_upload_without_an_id_is_an_error_and_leaves_nothing(service: Service):
    service.always("CreateMultipartUpload", rewriting("<UploadId>.*?</UploadId>", ""))
    with pytest.raises(StoreError, match="answer to CreateMultipartUpload lacks UploadId"):
        service.store().put("k", io.BytesIO(bytes(30 * MIB)))
    assert listed(service.direct) == []


def test_after_a_write_without_an_etag_the_object_is_looked_for(service: Service):
    service.always("PutObject", leaving_out("etag"))
    service.store().put("k", io.BytesIO(b"x"))
    assert listed(service.direct) == ["k"]


def test_a_write_that_was_not_carried_out_in_spite_of_its_answer_is_an_error(service: Service):
    service.always("PutObject", answering(200))
    with pytest.raises(StoreError, match="it does not exist; check endpoint_url"):
        service.store().put("k", io.BytesIO(b"x"))


class Chunked:
    """A gateway that compresses: it answers GET with the whole object, in chunks and without a length."""

    def __init__(self, content: bytes, *, whole: bool = True) -> None:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_HEAD(self) -> None:
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()

            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("ETag", '"x"')
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                for start in range(0, len(content), MIB):
                    chunk = content[start : start + MIB]
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
                if whole:
                    self.wfile.write(b"0\r\n\r\n")
                self.close_connection = True

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def __enter__(self) -> S3ObjectStore:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        url = f"http://127.0.0.1:{self._server.server_address[1]}"
        return S3ObjectStore.from_profile(s3_profile(url, bucket=False))

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.mark.parametrize("size", [1, 3 * MIB, 20 * MIB + 1])
def test_an_object_in_chunks_instead_of_a_range_is_read(size: int):
    content = some_bytes(size)
    with Chunked(content) as store, store.open("k") as reader:
        assert reader.read() == content


def test_chunks_that_break_off_are_an_error_and_not_an_end():
    with (
        Chunked(some_bytes(20 * MIB), whole=False) as store,
        pytest.raises(StoreUnavailable),
        store.open("k") as reader,
    ):
        while reader.read(MIB):
            pass


# deleting


def test_a_deletion_that_object_lock_prevents_names_the_date(service: Service):
    service.holds("k")
    until = ("x-amz-object-lock-retain-until-date", "2031-05-06T07:08:00Z")

    def locked(request: Request, forward: Forward) -> Answer:
        answer = forward(request)
        answer.headers.append(until)
        return answer

    service.always("DeleteObject", answering(403, "AccessDenied", "Access Denied"))
    service.always("HeadObject", locked)
    with pytest.raises(StoreError, match="k: protected by Object Lock until 2031-05-06 07:08 UTC"):
        service.store().delete("k")


def test_a_legal_hold_is_named(service: Service):
    service.holds("k")

    def held(request: Request, forward: Forward) -> Answer:
        answer = forward(request)
        answer.headers.append(("x-amz-object-lock-legal-hold", "ON"))
        return answer

    service.always("DeleteObject", answering(403, "AccessDenied", "Access Denied"))
    service.always("HeadObject", held)
    with pytest.raises(StoreError, match="k: protected by a legal hold"):
        service.store().delete("k")


def test_a_deletion_without_permission_is_access_denied(service: Service):
    service.holds("k")
    service.always("DeleteObject", answering(403, "AccessDenied", "Access Denied"))
    with pytest.raises(AccessDenied, match="lack this permission"):
        service.store().delete("k")


# web sites


class WebSite:
    """Answers every request with one status and one page."""

    def __init__(self, status: int, page: bytes) -> None:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                self.send_response(status)
                self.send_header("Content-Type", "text/html")
                self.send_header("Content-Length", str(len(page)))
                if status == 302:
                    self.send_header("Location", "/log-in")
                if self.command == "HEAD":
                    self.send_header("Last-Modified", "Wed, 07 Jan 2026 00:00:00 GMT")
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(page)

            do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = answer

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> WebSite:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


SITES = {
    "a start page for every address": (200, b"<!DOCTYPE html><html><body><p>Hello<br></body></html>"),
    "a start page in XHTML": (200, b"<html><body><p>Hello</p></body></html>"),
    "an empty page": (200, b""),
    "an API": (200, b"{}"),
    "nothing is found": (404, b"<html><body>Not Found</body></html>"),
    "nothing may be written": (405, b"<html><body>Not Allowed</body></html>"),
    "sent to a log-in": (302, b"<html/>"),
}

VERBS: dict[str, Callable[[S3ObjectStore], object]] = {
    "backup": lambda store: store.put("k", io.BytesIO(b"x")),
    "a large backup": lambda store: store.put("k", io.BytesIO(bytes(30 * MIB))),
    "restore": lambda store: store.open("k").__enter__(),
    "verify": lambda store: store.stat("k"),
    "sync": lambda store: list(store.list()),
    "configure": lambda store: store.bucket_exists(),
}


@pytest.mark.parametrize("site", SITES)
@pytest.mark.parametrize("verb", VERBS)
def test_a_web_site_instead_of_a_service_is_one_clear_line(site: str, verb: str):
    with WebSite(*SITES[site]) as web:
        store = S3ObjectStore.from_profile(s3_profile(web.url, bucket=False))
        with pytest.raises(StoreError, match=r"^s3://[^\n]*check endpoint_url[^\n]*$") as caught:
            VERBS[verb](store)
        assert type(caught.value) is StoreError
