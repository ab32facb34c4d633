"""`OpenedProfile`: what every verb of the library needs: tools, keys, events and hooks of one profile."""

from __future__ import annotations

import inspect
import os
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Concatenate, ParamSpec, Self, TypeVar, cast

from attrs import evolve, field, frozen

from bakthat.adapters.memory.job_locks import MemoryJobLocks
from bakthat.domain.backup import Backup
from bakthat.domain.job import Job
from bakthat.domain.payload import Keys
from bakthat.domain.profile import Profile
from bakthat.domain.progress import Progress
from bakthat.entrypoints.hooks import Hooks
from bakthat.entrypoints.key_ring import AskPassphrase, KeyRing
from bakthat.entrypoints.keys import Ask, decryption_keys
from bakthat.entrypoints.password_tries import PasswordTries
from bakthat.entrypoints.pings import Pings
from bakthat.errors import UsageError
from bakthat.ports.job_locks import JobLocks
from bakthat.usecases.events import Events
from bakthat.usecases.streams.password_check import HEAD, opens
from bakthat.usecases.tools import Tools

P = ParamSpec("P")
S = TypeVar("S", bound="OpenedProfile")
T = TypeVar("T")
U = TypeVar("U")

AnyPath = str | os.PathLike[str]


@frozen(kw_only=True)
class ProfileJobs:
    """The jobs of a profile. `locks`: keep two runs of a job apart. `open_job`: opens the profile with the settings of
    a job."""

    by_name: Mapping[str, Job] = field(factory=dict)
    locks: Callable[[], JobLocks] = MemoryJobLocks
    open_job: Callable[[Job], OpenedProfile] | None = None

    def host_of(self, job: Job) -> str:
        """The host that the backups of a job are recorded as being of."""
        return self.opened(job).tools.host()

    def opened(self, job: Job) -> OpenedProfile:
        """The profile with the settings of a job."""
        if self.open_job is None:
            raise TypeError("jobs need a profile that `open_profile` has opened")
        return self.open_job(job)


class OpenedProfile:
    """One profile and its tools. The verbs are in the subclasses, by what they are about."""

    def __init__(
        self,
        profile: Profile,
        tools: Tools,
        *,
        environment: Mapping[str, str] = os.environ,
        events: Events | None = None,
        hooks: Hooks | None = None,
        ask_passphrase: AskPassphrase | None = None,
        pings: Pings | None = None,
        jobs: ProfileJobs | None = None,
        new_session: Callable[[], str] = lambda: str(uuid.uuid4()),
        handed_in: Sequence[str] = (),
        other_tools: Callable[[str | Profile], Tools] | None = None,
        where: str | None = None,
    ) -> None:
        """`open_profile` makes one.

        Args:
            profile: The settings.
            tools: The ports and callables that the verbs use.
            environment: Where BAKTHAT_PASSWORD is looked for.
            events: Whose listeners are called.
            hooks: The profile's commands, run when a verb has ended.
            ask_passphrase: Called for the passphrase of an encrypted key file, with the name of the file.
            pings: Reports to the profile's monitoring service.
            jobs: The profile's jobs, and what running them needs.
            new_session: Makes the id that the events of one call share.
            handed_in: The names of destinations whose stores the caller passed in, which the profile may not name.
            other_tools: Makes the tools of another profile.
            where: The profile comes from there, which begins messages about its settings; None means its name alone.
        """
        self.profile = profile
        self.events = events if events is not None else Events()
        self._hooks = hooks
        self._pings = pings
        self._jobs = jobs if jobs is not None else ProfileJobs()
        self._tools = tools
        self._environment = environment
        self._ask_passphrase = ask_passphrase
        self._new_session = new_session
        self._handed_in = tuple(handed_in)
        self._other_tools = other_tools
        self._where = where if where is not None else f"profile {profile.name!r}"

    @property
    def tools(self) -> Tools:
        """The ports and callables that the verbs use."""
        return self._tools

    def __enter__(self) -> Self:
        """Return the profile itself. `with` marks the part of a program that uses it."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Do nothing: every call opens what it needs, and closes it again."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(profile={self.profile.name!r})"

    def _destination(self, destination: str | None) -> str:
        return destination if destination is not None else self.profile.default_destination

    def _place(self, destination: str | None, *chosen: str | Backup | None) -> str:
        """Return the destination of a verb that is about a chosen backup: the given one, else that of a record, else
        the profile's default.

        Raises:
            UsageError: A record of another destination than the given one.
            TypeError: Neither a name nor a record.
        """
        for backup in chosen:
            if isinstance(backup, Backup):
                if destination not in (None, backup.backend):
                    raise UsageError(
                        f"{backup.stored_filename} is a backup in {backup.backend}, not in {destination}; leave out "
                        "`destination=`, or choose another backup"
                    )
                destination = backup.backend
            elif backup is not None and not isinstance(backup, str):
                raise TypeError(f"a backup is chosen by its name or its record (`Backup`), not by {_article(backup)}")
        return self._destination(destination)

    def _opening(
        self,
        password: str | None,
        identities: Sequence[AnyPath],
        ask: Ask | None,
        *,
        head: Callable[[Backup], bytes] | None = None,
    ) -> Callable[[Backup], Keys]:
        """Return what finds the keys that may open a backup. `head` reads its first bytes; None: from its destination,
        to check a password that was typed."""
        key_ring = KeyRing(self._ask_passphrase, self.tools.notice)

        def find(backup: Backup, asked: Ask | None) -> Keys:
            return decryption_keys(
                backup,
                self.profile,
                password=password,
                identities=[os.fspath(path) for path in listed(identities)],
                key_ring=key_ring,
                ask=asked,
                environment=self._environment,
                notice=self.tools.notice,
            )

        return PasswordTries(
            find,
            ask,
            head=head or self._head,
            opens=lambda first, keys: opens(first, keys, self.tools),
            notice=self.tools.notice,
        )

    def _head(self, backup: Backup) -> bytes:
        stored = self.tools.destination(backup.backend).open_ranges(backup, {})
        return stored.read_at(0, HEAD) if stored is not None else b""

    def _run(
        self,
        verb: str,
        carry_out: Callable[[Tools], T],
        *,
        reported: Callable[[T], object] = lambda done: done,
        failure: Callable[[T], BaseException | None] = lambda _: None,
    ) -> T:
        """Carry out a verb between its two events, then run the profile's command for how it ended, and ping.

        Args:
            verb: Its name among the events.
            carry_out: Does it.
            reported: Makes what the listeners of `on_<verb>` get.
            failure: Finds what went wrong although the verb returned.
        """
        session = self._new_session()
        if self._pings is not None:
            self._pings.began(verb)
        try:
            done = self._between_events(verb, session, carry_out, reported=reported, failure=failure)
        except BaseException as error:
            self._run_hooks(verb, session, None, error)
            raise
        self._run_hooks(verb, session, done, failure(done))
        return done

    def _between_events(
        self,
        verb: str,
        session: str,
        carry_out: Callable[[Tools], T],
        *,
        reported: Callable[[T], object] = lambda done: done,
        failure: Callable[[T], BaseException | None] = lambda _: None,
    ) -> T:
        self.events.tell_before(verb, session)
        try:
            done = carry_out(self._watched(session))
        except BaseException as error:
            self.events.on_failure(session, verb, error)
            raise
        failed = failure(done)
        if failed is not None:
            self.events.on_failure(session, verb, failed)
        else:
            self.events.tell_on(verb, session, reported(done))
        return done

    def _run_hooks(self, verb: str, session: str, done: object, error: BaseException | None) -> None:
        if self._hooks is not None:
            self._hooks.ended(verb, session, done, error)
        if self._pings is not None:
            self._pings.ended(verb, done, error)

    def _watched(self, session: str) -> Tools:
        """Return the tools, with progress reported to the listeners too, if there are any."""
        if not len(self.events.on_progress):
            return self.tools

        def progress(report: Progress) -> None:
            self.tools.progress(report)
            self.events.on_progress(session, report)

        return evolve(self.tools, progress=progress)


def series_name(series: object) -> str:
    """Return the name of a series. Raises `TypeError` for anything else, also for a record, which names one backup."""
    if isinstance(series, Backup):
        raise TypeError(f"a series is chosen by its name, {series.filename!r} (`backup.filename`), not by a record")
    return text_of(series, "a series is chosen by its name")


def listed(values: Iterable[T]) -> tuple[T, ...]:
    """Return the items. A single text or path is one item: else each of its letters would be a pattern or a key."""
    if isinstance(values, str | os.PathLike):
        return (cast(T, values),)
    return tuple(values)


def text_of(value: object, expected: str) -> str:
    """Return the text. Raises `TypeError`, which says what was `expected`, for anything else."""
    if not isinstance(value, str):
        raise TypeError(f"{expected}, found {_article(value)}")
    return value


def _article(value: object) -> str:
    """`an int`, `a list`."""
    name = type(value).__name__
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


def short_form(
    verb: Callable[Concatenate[S, P], T], result: Callable[[T], U], *, returns: object, doc: str
) -> Callable[Concatenate[S, P], U]:
    """Return a method with the parameters of `verb`, which returns a part of its result.

    Args:
        verb: The method with the whole result.
        result: Takes the part, or raises the error that the whole result reports.
        returns: The part's type, for the reference.
        doc: The docstring.
    """

    def short(self: S, /, *args: P.args, **kwargs: P.kwargs) -> U:
        return result(verb(self, *args, **kwargs))

    short.__module__, short.__doc__ = verb.__module__, doc
    short.__name__ = verb.__name__.removesuffix("_with_report")
    short.__qualname__ = verb.__qualname__.removesuffix("_with_report")
    # For `help` and the reference, which would else show `*args, **kwargs`.
    short.__annotations__ = {**verb.__annotations__, "return": returns}
    short.__signature__ = inspect.signature(verb).replace(return_annotation=returns)  # type: ignore[attr-defined]
    return short
