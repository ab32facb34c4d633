"""The guard around stores of other packages passes everything on but an end of the program."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from bakthat.adapters.memory.object_store import MemoryObjectStore
from bakthat.domain.objects import Leftover, ObjectInfo
from bakthat.entrypoints.exit_guard import ExitGuardedStore, exit_guarded
from bakthat.entrypoints.signals import StoppedBySignal
from bakthat.errors import StoreError
from bakthat.ports.object_store import ObjectStore
from bakthat.ports.url_signer import UrlSigner
from bakthat.testing.faulty import Fault, FaultyObjectStore
from bakthat.testing.object_store_contract import ObjectStoreContract


class TestGuardedStore(ObjectStoreContract):
    large = 3 * 1024 * 1024 + 17
    many = 50

    @pytest.fixture
    def store(self) -> ObjectStore:
        return exit_guarded(MemoryObjectStore(), "the store")


class Signer(MemoryObjectStore, UrlSigner):
    def presign(self, key: str, expires_in: int, method: str = "GET") -> str:
        return f"{method} {key} {expires_in}"


def test_every_method_of_a_store_is_guarded() -> None:
    methods = {name for name in vars(ObjectStore) if not name.startswith("_")}
    assert methods <= set(vars(ExitGuardedStore))


def test_a_store_that_signs_urls_still_does() -> None:
    store = exit_guarded(Signer(), "the store")
    assert isinstance(store, UrlSigner)
    assert store.presign("k", 60, "PUT") == "PUT k 60"


def test_a_store_that_cannot_sign_urls_is_not_a_signer() -> None:
    assert not isinstance(exit_guarded(MemoryObjectStore(), "the store"), UrlSigner)


SOURCE = MemoryObjectStore("memory://source")
LEFT = Leftover(key="k", upload_id="1", started=datetime(2026, 1, 2, tzinfo=UTC), latest=None)

CALLS: dict[str, Callable[[ObjectStore], object]] = {
    "put": lambda store: store.put("k", io.BytesIO(b"x")),
    "open": lambda store: store.open("k").__enter__().read(),
    "open_range": lambda store: store.open_range("k", 0, 1).__enter__().read(),
    "stat": lambda store: store.stat("k"),
    "list": lambda store: list(store.list()),
    "delete": lambda store: store.delete("k"),
    "copy_from": lambda store: store.copy_from("k", SOURCE, expected=SOURCE.put("k", io.BytesIO(b"x"), replace=True)),
    "lock_of": lambda store: store.lock_of("k"),
    "leftovers": lambda store: list(store.leftovers()),
    "remove_leftover": lambda store: store.remove_leftover(LEFT),
}


def ending(call: str, error: BaseException) -> ObjectStore:
    store = MemoryObjectStore()
    if call != "put":
        store.put("k", io.BytesIO(b"x"))
    return exit_guarded(FaultyObjectStore(store, Fault(method=call, error=lambda: error)), "the store 'attic'")


@pytest.mark.parametrize("call", CALLS)
def test_an_end_of_the_program_is_an_error_of_the_store(call: str) -> None:
    with pytest.raises(StoreError, match=f"the store 'attic' tried to end the program in `{call}`"):
        CALLS[call](ending(call, SystemExit(0)))


@pytest.mark.parametrize("error", [StoppedBySignal(143), KeyboardInterrupt(), KeyError("k")], ids=repr)
@pytest.mark.parametrize("call", CALLS)
def test_whatever_else_is_raised_comes_out(call: str, error: BaseException) -> None:
    with pytest.raises(type(error)) as caught:
        CALLS[call](ending(call, error))
    assert caught.value is error


def test_two_guarded_stores_of_one_package_meet_each_other() -> None:
    """So that a service can copy between them."""
    met: list[ObjectStore] = []

    class Copying(MemoryObjectStore):
        def copy_from(self, key: str, source: ObjectStore, *, expected: ObjectInfo) -> ObjectInfo | None:
            met.append(source)
            return None

    one, two = Copying("memory://one"), Copying("memory://two")
    info = one.put("k", io.BytesIO(b"x"))
    exit_guarded(two, "the store").copy_from("k", exit_guarded(one, "the store"), expected=info)
    assert met == [one]
