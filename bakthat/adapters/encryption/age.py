"""`AgeCipher`: age v1 files in binary form (c2sp.org/age), which the `age` program writes and reads, too.

The format and nothing more: scrypt passphrases, X25519 keys, 64 KiB chunks under ChaCha20-Poly1305. Every primitive is
the `cryptography` package's. Where the specification leaves a choice, this follows the age program (FiloSottile/age).
"""

from __future__ import annotations

import base64
import contextlib
import io
import os
import re
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, cast

from attrs import frozen
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from bakthat.adapters.encryption import bech32
from bakthat.domain.payload import AGE_MAGIC, Keys
from bakthat.errors import PasswordNeeded, PayloadDamaged, PayloadError, UsageError, WrongPassword
from bakthat.ports.payload import Cipher
from bakthat.ports.streams import fill, write_whole

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

MAGIC = AGE_MAGIC
"""What every file sealed here begins with."""

WORK_FACTOR = 18
"""log2 of scrypt's N when sealing, as the age program has it: 256 MiB and about 0.7 s."""

HIGHEST_WORK_FACTOR = 22
"""log2 of the largest N accepted when opening, as the age program has it: 4 GiB and about 12 s."""

RECIPIENT_PREFIX = "age"
IDENTITY_PREFIX = "AGE-SECRET-KEY-"

_FAMILY = b"age-encryption.org/"
_ARMOR = b"-----BEGIN AGE ENCRYPTED FILE-----"
_SCRYPT_LABEL = b"age-encryption.org/v1/scrypt"
_X25519_LABEL = b"age-encryption.org/v1/X25519"
_KEY_SIZE = 16
_SALT_SIZE = 16
_NONCE_SIZE = 16
_TAG_SIZE = 16
_CHUNK = 64 * 1024
_SEALED_CHUNK = _CHUNK + _TAG_SIZE
_COLUMNS = 64
_ZERO_NONCE = bytes(12)
_ARGUMENT = re.compile(rb"[!-~]+")
_DECIMAL = re.compile(r"[1-9][0-9]*", re.ASCII)

# Chunks per write and per read: 1 MiB at a time makes Python's share of the work small (below 1 % of the time).
_BATCH = 16
_BATCH_SIZE = _BATCH * _SEALED_CHUNK

# What is written while a passphrase's key is derived: what two cores can pack in that time.
_ASIDE = 32 * 1024 * 1024

# A header must fit into one batch: some 10,000 recipients. The format sets no limit; memory does.
_HEADER_LIMIT = _BATCH_SIZE - _SEALED_CHUNK


def recognises(first_bytes: bytes) -> bool:
    """Whether a file that begins with these bytes (22 at least) is what `AgeCipher` writes."""
    return first_bytes.startswith(MAGIC)


def resembles(first_bytes: bytes) -> bool:
    """Whether `AgeCipher` is the one to open a file that begins like this, or to say why not: an age file of any
    version or in text form, or one that was cut short within its first line."""
    return any(first_bytes.startswith(start) or start.startswith(first_bytes) for start in (_FAMILY, _ARMOR))


def parse_recipient(text: str) -> X25519PublicKey:
    """The public key in `age1…`. Raises `ValueError`, whose message says why not and holds nothing of the text: a
    secret may have got into its place."""
    if text.upper().startswith("AGE-SECRET-KEY"):
        raise ValueError("it is a secret key; the recipient is the public key that belongs to it and starts with age1")
    if text.startswith("ssh-"):
        raise ValueError("it is an SSH key, and only age keys (age1…) are supported; `bakthat keygen` makes one")
    if not text.startswith("age1"):
        raise ValueError("it does not start with age1")
    prefix, data = bech32.decode(text)
    if prefix != RECIPIENT_PREFIX:
        raise ValueError("it is a plug-in's or a post-quantum key, which is not supported; `bakthat keygen` makes one")
    if len(data) != 32:
        raise ValueError("it has the wrong length")
    key = X25519PublicKey.from_public_bytes(data)
    try:
        X25519PrivateKey.from_private_bytes(bytes(32)).exchange(key)
    except ValueError:
        raise ValueError("it is a point of low order, to which nothing can be sealed") from None
    return key


def parse_identity(text: str) -> X25519PrivateKey:
    """The private key in `AGE-SECRET-KEY-1…`. Raises `ValueError`, whose message holds nothing of the text."""
    if text.startswith("age1"):
        raise ValueError("it is a public key (age1…); an identity starts with AGE-SECRET-KEY-1")
    if text.startswith(("AGE-PLUGIN-", "AGE-SECRET-KEY-PQ-")):
        raise ValueError("it is a plug-in's or a post-quantum identity, which is not supported; the age program may be")
    if not text.startswith("AGE-SECRET-KEY-1"):
        raise ValueError("it does not start with AGE-SECRET-KEY-1")
    prefix, data = bech32.decode(text)
    if prefix != IDENTITY_PREFIX or len(data) != 32:
        raise ValueError("it has the wrong length")
    return X25519PrivateKey.from_private_bytes(data)


class AgeCipher(Cipher):
    """Both directions at constant memory (some 2 MiB, besides what a passphrase takes: see below).

    `work_factor`: log2 of scrypt's N when sealing with a passphrase. `random`: so many bytes that nobody can guess.
    The passphrase's key is derived in a thread from the moment that `sealing` is entered. Until it is there, what is
    written is put aside, up to 32 MiB; then a write waits for it.
    """

    def __init__(self, *, work_factor: int = WORK_FACTOR, random: Callable[[int], bytes] = os.urandom) -> None:
        if not 1 <= work_factor <= HIGHEST_WORK_FACTOR:
            raise ValueError(f"a work factor lies between 1 and {HIGHEST_WORK_FACTOR}, not at {work_factor}")
        self._work_factor = work_factor
        self._random = random

    @contextmanager
    def sealing(self, into: BinaryIO, keys: Keys) -> Iterator[BinaryIO]:
        file_key = self._random(_KEY_SIZE)
        nonce = self._random(_NONCE_SIZE)
        with self._wrapping(file_key, keys) as stanzas:
            writer = _SealingWriter(
                into,
                lambda: (_header(file_key, stanzas.result()), nonce, _payload_key(file_key, nonce)),
                ready=stanzas.done,
            )
            try:
                yield cast(BinaryIO, writer)
                writer.finish()
            finally:
                writer.close()

    @contextmanager
    def unsealing(self, sealed: BinaryIO, keys: Keys) -> Iterator[BinaryIO]:
        source = _Sealed(sealed)
        head = source.head()
        header, length = _parse_header(head)
        file_key = _unwrap(header, keys)
        try:
            _mac(file_key, header.authenticated).verify(header.mac)
        except InvalidSignature:
            raise PayloadDamaged("the age header has been altered: its MAC is wrong") from None
        nonce = head[length : length + _NONCE_SIZE]
        if len(nonce) < _NONCE_SIZE:
            raise PayloadDamaged("the encrypted file is cut short after its header")
        source.skip(length + _NONCE_SIZE)
        # The buffer makes every read whole, and lets large ones pass straight through to the decryption.
        with io.BufferedReader(_OpeningReader(source, _payload_key(file_key, nonce)), _BATCH * _CHUNK) as reader:
            yield reader

    @contextmanager
    def _wrapping(self, file_key: bytes, keys: Keys) -> Iterator[Future[list[_Stanza]]]:
        """Gives the stanzas which wrap the file key, as soon as they are there."""
        if keys.passphrase and keys.recipients:
            raise UsageError("a backup is encrypted with a password or to recipients, not both: leave one of them out")
        if keys.recipients:
            stanzas: Future[list[_Stanza]] = Future()
            stanzas.set_result(_x25519_stanzas(file_key, keys.recipients, self._random))
            yield stanzas
        elif keys.passphrase:
            passphrase = _passphrase_bytes(keys.passphrase)
            salt = self._random(_SALT_SIZE)
            with ThreadPoolExecutor(1, thread_name_prefix="age-scrypt") as thread:
                yield thread.submit(lambda: [_scrypt_stanza(file_key, passphrase, salt, self._work_factor)])
        else:
            raise UsageError("to encrypt, give a password or a recipient (age1…)")


# ---- header


@frozen(kw_only=True)
class _Stanza:
    """One way to the file key: `kind`, `arguments` and the wrapped key, as they stand in the header."""

    kind: str
    arguments: tuple[str, ...] = ()
    body: bytes

    def __bytes__(self) -> bytes:
        # The last line of a body is shorter than 64 columns, if need be empty.
        text = _base64(self.body)
        lines = [text[start : start + _COLUMNS] for start in range(0, len(text) + 1, _COLUMNS)]
        return "".join(f"{line}\n" for line in (" ".join(("->", self.kind, *self.arguments)), *lines)).encode()


@frozen(kw_only=True)
class _Header:
    """`authenticated`: the bytes that the MAC is of."""

    stanzas: tuple[_Stanza, ...]
    authenticated: bytes
    mac: bytes


def _header(file_key: bytes, stanzas: list[_Stanza]) -> bytes:
    authenticated = MAGIC + b"".join(bytes(stanza) for stanza in stanzas) + b"---"
    header = authenticated + f" {_base64(_mac(file_key, authenticated).finalize())}\n".encode()
    if len(header) > _HEADER_LIMIT:
        raise UsageError(f"{len(stanzas)} recipients are too many: the header takes more than {_HEADER_LIMIT} bytes")
    return header


def _parse_header(head: bytes) -> tuple[_Header, int]:
    """The header that a file begins with, and its length. Raises `PayloadDamaged` for whatever the grammar does not
    allow; it is strict, so that a header has one form only."""
    if not head.startswith(MAGIC):
        raise PayloadDamaged(_not_this_form(head))
    # No other line of a header starts with these three: base64 knows no hyphen.
    mark = head.find(b"\n---")
    end = head.find(b"\n", mark + 1)
    if mark < 0 or end < 0 or end >= _HEADER_LIMIT:
        raise PayloadDamaged(f"the age header is cut short, or longer than {_HEADER_LIMIT} bytes")
    _, *lines, last = head[:end].split(b"\n")
    mac = _unbase64(last.removeprefix(b"--- "))
    if mac is None or len(mac) != 32 or not last.startswith(b"--- "):
        raise PayloadDamaged("the age header is damaged in its last line: no MAC")
    stanzas = _parse_stanzas(lines)
    return _Header(stanzas=tuple(stanzas), authenticated=head[: mark + 4], mac=mac), end + 1


def _parse_stanzas(lines: list[bytes]) -> list[_Stanza]:
    stanzas: list[_Stanza] = []
    opening: list[bytes] = []
    body: list[bytes] = []
    for number, line in enumerate(lines, 2):
        if not opening:
            arrow, *opening = line.split(b" ")
            if arrow != b"->" or not opening or not all(map(_ARGUMENT.fullmatch, opening)):
                raise PayloadDamaged(f"the age header is damaged in line {number}: a recipient starts with '-> '")
            continue
        part = _unbase64(line) if len(line) <= _COLUMNS else None
        if part is None:
            raise PayloadDamaged(f"the age header is damaged in line {number}: no base64 of up to {_COLUMNS} columns")
        body.append(part)
        if len(line) < _COLUMNS:
            kind, *arguments = (argument.decode("ascii") for argument in opening)
            stanzas.append(_Stanza(kind=kind, arguments=tuple(arguments), body=b"".join(body)))
            opening, body = [], []
    if opening or not stanzas:
        raise PayloadDamaged("the age header is damaged: its last recipient is incomplete, or it has none")
    return stanzas


def _not_this_form(head: bytes) -> str:
    if not head:
        return "the encrypted file is empty"
    if head.startswith(_ARMOR):
        return "an age file in text form (armored), which bakthat does not read; `age -d` opens it"
    if MAGIC.startswith(head) or _ARMOR.startswith(head):
        return "the age header is cut short"
    if head.startswith(_FAMILY):
        return "an age file of another version than v1, or damaged in its first line; a newer `age -d` may open it"
    return "not an age file: it does not begin with age-encryption.org/v1"


# ---- the file key, wrapped and unwrapped


def _x25519_stanzas(file_key: bytes, recipients: tuple[str, ...], random: Callable[[int], bytes]) -> list[_Stanza]:
    stanzas = []
    for place, text in enumerate(recipients, 1):
        try:
            recipient = parse_recipient(text)
        except ValueError as error:
            raise UsageError(f"recipient {place} of {len(recipients)} cannot be used: {error}") from None
        ephemeral = X25519PrivateKey.from_private_bytes(random(32))
        share = ephemeral.public_key().public_bytes_raw()
        wrap_key = _x25519_wrap_key(ephemeral.exchange(recipient), share, recipient)
        body = ChaCha20Poly1305(wrap_key).encrypt(_ZERO_NONCE, file_key, None)
        stanzas.append(_Stanza(kind="X25519", arguments=(_base64(share),), body=body))
    return stanzas


def _scrypt_stanza(file_key: bytes, passphrase: bytes, salt: bytes, work_factor: int) -> _Stanza:
    wrap_key = _scrypt_wrap_key(passphrase, salt, work_factor)
    body = ChaCha20Poly1305(wrap_key).encrypt(_ZERO_NONCE, file_key, None)
    return _Stanza(kind="scrypt", arguments=(_base64(salt), str(work_factor)), body=body)


def _unwrap(header: _Header, keys: Keys) -> bytes:
    """The file key, by the password or identity that fits."""
    kinds = [stanza.kind for stanza in header.stanzas]
    if "scrypt" in kinds:
        # Else somebody who knows a recipient could make files that the password opens.
        if len(kinds) > 1:
            raise PayloadDamaged("the age header is damaged: a password stands beside other recipients")
        return _unwrap_scrypt(header.stanzas[0], keys.passphrase)
    if not keys.identities:
        raise PasswordNeeded("encrypted to public keys: give the file of an identity that fits, with -i")
    for identity in _identities(keys):
        for stanza in header.stanzas:
            file_key = _unwrap_x25519(stanza, identity)
            if file_key is not None:
                return file_key
    if "X25519" not in kinds:
        raise WrongPassword("encrypted to keys of other kinds than age's own (SSH, a plug-in …); `age -d` may open it")
    raise WrongPassword(f"no identity given opens it ({len(keys.identities)} tried): it is encrypted to other keys")


def _identities(keys: Keys) -> list[X25519PrivateKey]:
    identities = []
    for place, text in enumerate(keys.identities, 1):
        try:
            identities.append(parse_identity(text))
        except ValueError as error:
            raise UsageError(f"identity {place} of {len(keys.identities)} cannot be used: {error}") from None
    return identities


def _unwrap_scrypt(stanza: _Stanza, passphrase: str | None) -> bytes:
    salt = _unbase64(stanza.arguments[0].encode()) if len(stanza.arguments) == 2 else None
    if salt is None or len(salt) != _SALT_SIZE or not _DECIMAL.fullmatch(stanza.arguments[1]):
        raise PayloadDamaged("the age header is damaged: salt or work factor of the password")
    digits = stanza.arguments[1]
    if len(digits) > 2 or int(digits) > HIGHEST_WORK_FACTOR:
        raise PayloadDamaged(
            f"its password takes scrypt with work factor 2^{digits[:6]}{'…' * (len(digits) > 6)}; more than "
            f"2^{HIGHEST_WORK_FACTOR} (4 GiB of memory) is refused, here as by the age program"
        )
    if len(stanza.body) != _KEY_SIZE + _TAG_SIZE:
        raise PayloadDamaged("the age header is damaged: a wrapped key of the wrong length")
    if not passphrase:
        raise PasswordNeeded("encrypted with a password: give it (an identity does not open it)")
    wrap_key = _scrypt_wrap_key(_passphrase_bytes(passphrase), salt, int(digits))
    try:
        return ChaCha20Poly1305(wrap_key).decrypt(_ZERO_NONCE, stanza.body, None)
    except InvalidTag:
        raise WrongPassword("the password does not open it") from None


def _unwrap_x25519(stanza: _Stanza, identity: X25519PrivateKey) -> bytes | None:
    """The file key, None if the stanza is for somebody else."""
    if stanza.kind != "X25519":
        return None
    share = _unbase64(stanza.arguments[0].encode()) if len(stanza.arguments) == 1 else None
    if share is None or len(share) != 32:
        raise PayloadDamaged("the age header is damaged: the share of an X25519 recipient")
    if len(stanza.body) != _KEY_SIZE + _TAG_SIZE:
        raise PayloadDamaged("the age header is damaged: a wrapped key of the wrong length")
    try:
        secret = identity.exchange(X25519PublicKey.from_public_bytes(share))
    except ValueError:
        raise PayloadDamaged("the age header is damaged: the share of an X25519 recipient is of low order") from None
    try:
        wrap_key = _x25519_wrap_key(secret, share, identity.public_key())
        return ChaCha20Poly1305(wrap_key).decrypt(_ZERO_NONCE, stanza.body, None)
    except InvalidTag:
        return None


def _passphrase_bytes(passphrase: str) -> bytes:
    """What a terminal sends for it, also where the environment held bytes that are no UTF-8."""
    # Not raised while that error is handled: it holds the password, and would be kept as the context.
    with contextlib.suppress(UnicodeEncodeError):
        return passphrase.encode("utf-8", "surrogateescape")
    raise UsageError("the password holds a character that UTF-8 cannot write")


def _scrypt_wrap_key(passphrase: bytes, salt: bytes, work_factor: int) -> bytes:
    try:
        scrypt = Scrypt(salt=_SCRYPT_LABEL + salt, length=32, n=1 << work_factor, r=8, p=1)
        return scrypt.derive(passphrase)
    except MemoryError:
        mebibytes = (1 << work_factor) >> 10  # 128 * N * r bytes (RFC 7914)
        raise PayloadError(f"too little memory for the password: scrypt takes {mebibytes} MiB for a moment") from None


def _x25519_wrap_key(secret: bytes, share: bytes, recipient: X25519PublicKey) -> bytes:
    return _hkdf(secret, salt=share + recipient.public_bytes_raw(), info=_X25519_LABEL)


def _payload_key(file_key: bytes, nonce: bytes) -> bytes:
    return _hkdf(file_key, salt=nonce, info=b"payload")


def _mac(file_key: bytes, authenticated: bytes) -> HMAC:
    mac = HMAC(_hkdf(file_key, salt=b"", info=b"header"), SHA256())
    mac.update(authenticated)
    return mac


def _hkdf(material: bytes, *, salt: bytes, info: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=salt, info=info).derive(material)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii").rstrip("=")


def _unbase64(text: bytes) -> bytes | None:
    """The bytes, None if this is not exactly how `_base64` would write them."""
    try:
        data = base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except ValueError:
        return None
    return data if _base64(data).encode() == text else None


# ---- payload


def _chunk_nonce(counter: int, *, last: bool) -> bytes:
    return (counter << 8 | last).to_bytes(12, "big")


class _SealingWriter(io.RawIOBase):
    """Seals what is written in chunks, and passes them on in batches. `begin` gives header, nonce and payload key; it
    is called once, as late as possible, and if it can be, once it is `ready` to answer at once. Closing it finishes
    nothing: only `finish` does."""

    def __init__(
        self, into: BinaryIO, begin: Callable[[], tuple[bytes, bytes, bytes]], *, ready: Callable[[], bool]
    ) -> None:
        self._into = into
        self._begin = begin
        self._is_ready = ready
        self._aside = bytearray()
        self._aead: ChaCha20Poly1305 | None = None
        self._counter = 0
        # The chunk that is being filled. A full one stays until more comes, since the last chunk is marked as such.
        self._plain = memoryview(bytearray(_CHUNK))
        self._filled = 0
        self._sealed = memoryview(bytearray(_BATCH_SIZE))
        self._ready = 0
        self._broken = False

    def writable(self) -> bool:
        return True

    def write(self, data: ReadableBuffer, /) -> int:
        if self.closed:
            raise ValueError("write to a closed file")
        self._begin_step()
        view = memoryview(data).cast("B")
        if self._aead is not None or not self._put_aside(view):
            self._take(view)
        self._broken = False
        return len(view)

    def finish(self) -> None:
        """Seal the last chunk, which tells a reader that nothing is missing."""
        self._begin_step()
        self._fetch_back()
        self._seal(self._plain[: self._filled], last=True)
        self._pass_on()
        self._broken = False

    def _begin_step(self) -> None:
        """Until the step is done, the stream counts as broken: a failure leaves a gap that nothing must close."""
        if self._broken:
            raise ValueError("an earlier write failed, so this stream cannot be finished")
        self._broken = True

    def _put_aside(self, view: memoryview) -> bool:
        """Keep this until the key is there; False, and all that was kept is sealed, if it is there or too much was."""
        if self._is_ready() or len(self._aside) + len(view) > _ASIDE:
            self._fetch_back()
            return False
        self._aside += view
        return True

    def _fetch_back(self) -> None:
        aside, self._aside = self._aside, bytearray()
        self._take(memoryview(aside))

    def _take(self, rest: memoryview) -> None:
        if self._filled + len(rest) > _CHUNK:
            if self._filled:
                room = _CHUNK - self._filled
                self._plain[self._filled :] = rest[:room]
                rest = rest[room:]
                self._seal(self._plain)
                self._filled = 0
            while len(rest) > _CHUNK:
                self._seal(rest[:_CHUNK])
                rest = rest[_CHUNK:]
        self._plain[self._filled : self._filled + len(rest)] = rest
        self._filled += len(rest)

    def _seal(self, plain: memoryview, *, last: bool = False) -> None:
        aead = self._aead
        if aead is None:
            header, nonce, key = self._begin()
            write_whole(self._into, header + nonce)
            aead = self._aead = ChaCha20Poly1305(key)
        end = self._ready + len(plain) + _TAG_SIZE
        aead.encrypt_into(_chunk_nonce(self._counter, last=last), plain, None, self._sealed[self._ready : end])
        self._counter += 1
        self._ready = end
        if end + _SEALED_CHUNK > _BATCH_SIZE:
            self._pass_on()

    def _pass_on(self) -> None:
        write_whole(self._into, self._sealed[: self._ready])
        self._ready = 0


class _Sealed:
    """The sealed file through a buffer of one batch: first its head, then chunk after chunk."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._buffer = memoryview(bytearray(_BATCH_SIZE))
        self._start = 0
        self._stop = 0
        self._ended = False

    def head(self) -> bytes:
        """The first batch, or all that there is; it stays to be read."""
        self._fill()
        return bytes(self._buffer[: self._stop])

    def skip(self, size: int) -> None:
        """Go on behind so many bytes of the head."""
        self._start += size

    def take_chunk(self) -> tuple[memoryview, bool]:
        """The next sealed chunk (valid until the next call; empty at the end), and whether anything follows it."""
        if self._stop - self._start <= _SEALED_CHUNK and not self._ended:
            self._fill()
        start = self._start
        self._start = min(start + _SEALED_CHUNK, self._stop)
        return self._buffer[start : self._start], self._start < self._stop

    def _fill(self) -> None:
        left = self._stop - self._start
        self._buffer[:left] = self._buffer[self._start : self._stop]
        self._start, self._stop = 0, left
        if not self._ended:
            self._stop += fill(self._source, self._buffer[left:])
            self._ended = self._stop < _BATCH_SIZE


class _OpeningReader(io.RawIOBase):
    """The plain bytes, each chunk after it is authenticated. What precedes a damage is given out; then the damage is
    raised, as often as one reads."""

    def __init__(self, source: _Sealed, key: bytes) -> None:
        self._source = source
        self._aead = ChaCha20Poly1305(key)
        self._counter = 0
        self._ended = False
        self._failure: Exception | None = None
        # For readers that ask for less than a chunk.
        self._spare = memoryview(bytearray(_CHUNK))
        self._left = self._spare[:0]

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        target = memoryview(buffer).cast("B")
        if not self._left:
            if len(target) >= _CHUNK:
                return self._open_chunks(target)
            self._left = self._spare[: self._open_chunks(self._spare)]
        count = min(len(target), len(self._left))
        target[:count] = self._left[:count]
        self._left = self._left[count:]
        return count

    def _open_chunks(self, target: memoryview) -> int:
        """Open as many chunks as the target takes. A failure after the first is kept for the next call."""
        if self._failure is not None:
            raise self._failure
        done = 0
        while not self._ended and self._failure is None and len(target) - done >= _CHUNK:
            try:
                done += self._open_chunk(target[done:])
            except Exception as error:
                self._failure = error
                if not done:
                    raise
                break
        return done

    def _open_chunk(self, target: memoryview) -> int:
        chunk, more = self._source.take_chunk()
        size = len(chunk) - _TAG_SIZE
        if size < 0 or (not size and self._counter):
            raise PayloadDamaged(f"the encrypted file is cut short after {self._counter * _CHUNK} plain bytes")
        plain = target[:size]
        # Only a whole chunk can be one in the middle; only a marked one is the last, whatever follows.
        if size == _CHUNK and self._opens(chunk, plain, last=False):
            self._counter += 1
        elif self._opens(chunk, plain, last=True):
            self._ended = not more
            if more:
                self._failure = PayloadDamaged("the encrypted file is damaged: bytes follow its end")
        else:
            raise PayloadDamaged(
                f"the encrypted file is damaged or cut short after {self._counter * _CHUNK} plain bytes"
            )
        return size

    def _opens(self, chunk: memoryview, plain: memoryview, *, last: bool) -> bool:
        try:
            self._aead.decrypt_into(_chunk_nonce(self._counter, last=last), chunk, None, plain)
        except InvalidTag:
            # OpenSSL decrypts before it compares the tag: what lies there now must not get out.
            plain[:] = bytes(len(plain))
            return False
        return True
