"""What `configure` finds out about a destination before the first backup needs it."""

from __future__ import annotations

import io
import secrets

from bakthat.domain.profile import Profile
from bakthat.entrypoints import terminal
from bakthat.entrypoints.api import open_profile
from bakthat.errors import AccessDenied, BakthatError, ConfigError, CredentialsRefused, StoreError
from bakthat.ports.object_store import ObjectStore
from bakthat.ports.streams import read_up_to
from bakthat.usecases.destinations.archive_store import ArchiveDestination
from bakthat.usecases.destinations.object_store import ObjectDestination

_CONTENT = b"A test of `bakthat configure`; it may be deleted.\n"


def offer_bucket(profile: Profile) -> bool:
    """Report whether the bucket exists, and create it after confirmation. Nothing else in bakthat creates one. Return
    whether it may be tried."""
    from bakthat.adapters.aws.s3 import S3ObjectStore

    store = S3ObjectStore.from_profile(profile)
    try:
        there = store.bucket_exists()
    except CredentialsRefused as error:
        terminal.tell(f"The bucket could not be checked: {error}")
        return False
    except AccessDenied:
        terminal.tell("These keys may not check the bucket; a backup will show whether they may write to it.")
        return True
    except (StoreError, ConfigError) as error:
        terminal.tell(f"The bucket could not be checked: {error}")
        return False
    if there:
        terminal.tell(f"The bucket {profile.s3_bucket} exists.")
        return True
    if terminal.ask_yes(f"The bucket {profile.s3_bucket} does not exist. Create it?", default=False):
        store.create_bucket()
        terminal.tell(f"Created the bucket {profile.s3_bucket}.")
        return True
    return False


def offer_vault(profile: Profile) -> None:
    """Create the vault after confirmation. Creating an existing one changes nothing."""
    if not terminal.ask_yes(f"Create the vault {profile.glacier_vault}, if it does not exist?", default=False):
        return
    from bakthat.adapters.aws.glacier import GlacierArchiveStore

    GlacierArchiveStore.from_profile(profile).create_vault()
    terminal.tell(f"The vault {profile.glacier_vault} exists.")


def try_destination(profile: Profile, name: str) -> None:
    """Write an object to the destination, read it, and delete it. Raises `BakthatError`.

    Of a vault or an archive class, this tries the bucket: what is stored there is billed for months.
    """
    destination = open_profile(profile, notice=terminal.tell).tools.destination(name)
    if not isinstance(destination, ObjectDestination | ArchiveDestination) or destination.catalog is None:
        terminal.tell("Nothing was tried: an archive in a vault is billed for 90 days.")
        return
    objects = destination.catalog
    key = f"bakthat_test_{secrets.token_hex(4)}"
    objects.put(key, io.BytesIO(_CONTENT))
    try:
        with objects.open(key) as reader:
            if read_up_to(reader, 2 * len(_CONTENT)) != _CONTENT:
                raise StoreError(f"{objects.location}: what was written is not what is read")
    finally:
        deleted = _deleted(objects, key)
    what = "Wrote, read and deleted a test object" if deleted else f"Wrote and read the test object {key}"
    terminal.tell(f"{what} in {objects.location}: it works.")


def _deleted(objects: ObjectStore, key: str) -> bool:
    """Delete it. Permission to do that is not required of a machine."""
    try:
        objects.delete(key)
    except BakthatError as error:
        terminal.tell(f"The test object stays: {error}")
        return False
    return True
