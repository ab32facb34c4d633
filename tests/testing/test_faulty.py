"""The faulty stores fail where the script says, and nowhere else."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest

from bakthat.adapters.memory.archive_store import MemoryArchiveStore
from bakthat.adapters.memory.object_store import MemoryObjectStore
from bakthat.domain.objects import ArchiveId, JobId
from bakthat.errors import AccessDenied, ObjectNotFound, StoreUnavailable
from bakthat.ports.archive_store import ArchiveStore
from bakthat.ports.object_store import ObjectStore
from bakthat.testing.archive_store_contract import ArchiveStoreContract
from bakthat.testing.faulty import Fault, FaultyArchiveStore, FaultyObjectStore
from bakthat.testing.object_store_contract import ObjectStoreContract


class TestAnObjectStoreWithoutFaults(ObjectStoreContract):
    large = 300_000
    many = 50

    @pytest.fixture
    def store(self) -> ObjectStore:
        return FaultyObjectStore(MemoryObjectStore())


class TestAnArchiveStoreWithoutFaults(ArchiveStoreContract):
    large = 300_000

    @pytest.fixture
    def vault(self) -> MemoryArchiveStore:
        return MemoryArchiveStore()

    @pytest.fixture
    def store(self, vault: MemoryArchiveStore) -> ArchiveStore:
        return FaultyArchiveStore(vault)

    @pytest.fixture
    def finish(self, vault: MemoryArchiveStore) -> Callable[[JobId], None]:
        return vault.finish

    @pytest.fixture
    def expire(self, vault: MemoryArchiveStore) -> Callable[[JobId], None]:
        return vault.expire


@pytest.fixture
def inner() -> MemoryObjectStore:
    return MemoryObjectStore()


@pytest.fixture
def vault() -> MemoryArchiveStore:
    return MemoryArchiveStore(minimum_days=90)


def keys(store: ObjectStore) -> list[str]:
    return [info.key for info in store.list()]


def put(store: ObjectStore, key: str, content: bytes = b"content") -> None:
    store.put(key, io.BytesIO(content))


# object stores


def test_the_scripted_calls_fail_and_those_around_them_do_not(inner: MemoryObjectStore) -> None:
    store = FaultyObjectStore(inner, Fault(method="put", call=2, times=2))
    put(store, "1")
    for key in ("2", "3"):
        with pytest.raises(StoreUnavailable, match="as scripted"):
            put(store, key)
    put(store, "4")
    assert keys(inner) == ["1", "4"]


def test_only_calls_with_the_key_are_counted(inner: MemoryObjectStore) -> None:
    store = FaultyObjectStore(inner, Fault(method="put", key="catalog/", call=2))
    for key in ("a", "catalog/a", "b"):
        put(store, key)
    with pytest.raises(StoreUnavailable):
        put(store, "catalog/b")


def test_a_write_breaks_at_the_byte_and_leaves_nothing(inner: MemoryObjectStore) -> None:
    class Counted(io.BytesIO):
        taken = 0

        def read(self, size: int | None = -1) -> bytes:
            piece = super().read(size)
            self.taken += len(piece)
            return piece

    body = Counted(bytes(100_000))
    with pytest.raises(StoreUnavailable):
        FaultyObjectStore(inner, Fault(method="put", after_bytes=50_001)).put("k", body)
    assert body.taken == 50_001
    assert keys(inner) == []


def test_a_body_that_ends_before_the_byte_is_stored(inner: MemoryObjectStore) -> None:
    put(FaultyObjectStore(inner, Fault(method="put", after_bytes=8)), "k", b"content")
    assert keys(inner) == ["k"]


@pytest.mark.parametrize("after_bytes", [0, 1, 4_000, 99_999])
def test_a_reader_breaks_at_the_byte_and_not_before(inner: MemoryObjectStore, after_bytes: int) -> None:
    put(inner, "k", bytes(100_000))
    with FaultyObjectStore(inner, Fault(method="open", after_bytes=after_bytes)).open("k") as reader:
        assert len(reader.read(after_bytes)) == after_bytes
        with pytest.raises(StoreUnavailable):
            reader.read(1)


def test_a_lost_answer_is_that_of_a_call_that_was_carried_out(inner: MemoryObjectStore) -> None:
    store = FaultyObjectStore(inner, Fault(method="put", afterwards=True), Fault(method="delete", afterwards=True))
    with pytest.raises(StoreUnavailable):
        put(store, "k")
    assert keys(inner) == ["k"]
    with pytest.raises(StoreUnavailable):
        store.delete("k")
    assert keys(inner) == []


@pytest.mark.parametrize("method", ["open", "stat", "list", "delete", "lock_of", "leftovers"])
def test_every_call_can_fail(inner: MemoryObjectStore, method: str) -> None:
    put(inner, "k")
    store = FaultyObjectStore(inner, Fault(method=method, error=lambda: AccessDenied("no")))
    with pytest.raises(AccessDenied, match="no"):
        getattr(store, method)("k")
    assert keys(inner) == ["k"]


def test_a_listing_breaks_after_so_many_items(inner: MemoryObjectStore) -> None:
    for key in "abcd":
        put(inner, key)
    listing = FaultyObjectStore(inner, Fault(method="list", after_items=2)).list()
    assert [next(listing).key, next(listing).key] == ["a", "b"]
    with pytest.raises(StoreUnavailable):
        next(listing)


def test_the_calls_are_recorded_in_order(inner: MemoryObjectStore) -> None:
    store = FaultyObjectStore(inner, Fault(method="stat"))
    put(store, "k")
    with pytest.raises(StoreUnavailable):
        store.stat("k")
    list(store.list("k"))
    with store.open("k"):
        pass
    store.delete("k")
    assert store.calls == [("put", "k"), ("stat", "k"), ("list", "k"), ("open", "k"), ("delete", "k")]


def test_an_error_is_a_new_one_each_time(inner: MemoryObjectStore) -> None:
    store = FaultyObjectStore(inner, Fault(method="stat", times=2))
    caught = []
    for _ in range(2):
        with pytest.raises(StoreUnavailable) as each:
            store.stat("k")
        caught.append(each.value)
    assert caught[0] is not caught[1]


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ({"method": "get"}, "is not a method of a store"),
        ({"method": "stat", "after_bytes": 3}, "after_bytes"),
        ({"method": "put", "after_items": 3}, "after_items"),
        ({"method": "open", "afterwards": True}, "afterwards"),
        ({"method": "put", "afterwards": True, "after_bytes": 1}, "one each"),
    ],
)
def test_a_script_that_could_never_strike_is_refused(script: dict, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Fault(**script)


# archive stores


def upload(store: ArchiveStore, content: bytes = b"content") -> ArchiveId:
    return store.upload(io.BytesIO(content), description="site.20260102030405.tgz")


def descriptions(vault: MemoryArchiveStore) -> list[str]:
    job = vault.request_inventory()
    vault.finish(job)
    return [info.description for info in vault.inventory(job)]


@pytest.mark.parametrize("after_bytes", [None, 0, 50_001])
def test_an_upload_that_fails_leaves_nothing(vault: MemoryArchiveStore, after_bytes: int | None) -> None:
    store = FaultyArchiveStore(vault, Fault(method="upload", key="site.", after_bytes=after_bytes))
    with pytest.raises(StoreUnavailable):
        upload(store, bytes(100_000))
    assert descriptions(vault) == []
    upload(store)
    assert descriptions(vault) == ["site.20260102030405.tgz"]


def test_an_upload_whose_answer_is_lost_is_in_the_vault(vault: MemoryArchiveStore) -> None:
    with pytest.raises(StoreUnavailable):
        upload(FaultyArchiveStore(vault, Fault(method="upload", afterwards=True)))
    assert descriptions(vault) == ["site.20260102030405.tgz"]


def test_a_retrieval_whose_answer_is_lost_runs(vault: MemoryArchiveStore) -> None:
    store = FaultyArchiveStore(vault, Fault(method="request", afterwards=True))
    archive_id = upload(store)
    with pytest.raises(StoreUnavailable):
        store.request(archive_id)
    job = store.request(archive_id)
    vault.finish(job)
    with store.open(job) as reader:
        assert reader.read() == b"content"


def test_a_download_breaks_at_the_byte(vault: MemoryArchiveStore) -> None:
    store = FaultyArchiveStore(vault, Fault(method="open", after_bytes=3))
    job = store.request(upload(store))
    vault.finish(job)
    with store.open(job) as reader:
        assert reader.read(3) == b"con"
        with pytest.raises(StoreUnavailable):
            reader.read(1)


def test_deleting_and_the_inventory_can_fail(vault: MemoryArchiveStore) -> None:
    store = FaultyArchiveStore(
        vault,
        Fault(method="delete", afterwards=True),
        Fault(method="request_inventory"),
        Fault(method="inventory", after_items=1),
    )
    gone, _, _ = upload(store), upload(store), upload(store)
    with pytest.raises(StoreUnavailable):
        store.delete(gone)
    with pytest.raises(ObjectNotFound):
        vault.request(gone)
    with pytest.raises(StoreUnavailable):
        store.request_inventory()
    job = store.request_inventory()
    vault.finish(job)
    listing = store.inventory(job)
    next(listing)
    with pytest.raises(StoreUnavailable):
        next(listing)
    assert [method for method, _ in store.calls] == [
        "upload", "upload", "upload", "delete", "request_inventory", "request_inventory", "inventory"
    ]  # fmt: skip


def test_what_the_vault_says_of_itself_stays(vault: MemoryArchiveStore) -> None:
    store = FaultyArchiveStore(vault)
    assert (store.location, store.minimum_days, store.usual_waits) == (vault.location, 90, vault.usual_waits)
