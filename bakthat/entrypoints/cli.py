"""The command line: parses, asks, prints, and maps errors to exit codes. It makes no decisions.

Exit codes: 0 done · 1 not found, ambiguous, refused, or output that cannot be written · 2 usage or configuration ·
3 backed up or restored, but incomplete · 4 the store · 5 password or damaged data · 75 a retrieval is pending, or a job
is running already (EX_TEMPFAIL of sysexits.h) · 129 SIGHUP, 130 Ctrl-C, 141 the reader of the output has left,
143 SIGTERM.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
import traceback

import click

from bakthat import __version__, errors
from bakthat.entrypoints import json_output, terminal
from bakthat.entrypoints.command_group import Commands
from bakthat.entrypoints.command_names import COMPLETION_VARIABLE, canonical
from bakthat.entrypoints.common_options import common_before
from bakthat.entrypoints.exit_codes import exit_code
from bakthat.entrypoints.signals import StoppedBySignal, end_after, end_if_signals_are_not_handled
from bakthat.entrypoints.utf8_mode import ensure_utf8_mode

_OBJECTS_BETWEEN_COLLECTIONS = 100_000


@click.group(
    cls=Commands,
    invoke_without_command=True,
    no_args_is_help=False,
    subcommand_metavar="COMMAND [ARGS]...",
    context_settings={"help_option_names": ["-h", "--help"], "token_normalize_func": canonical},
)
@click.version_option(__version__, message="bakthat %(version)s")
@common_before
@click.pass_context
def cli(ctx: click.Context) -> None:
    """One compressed, optionally encrypted archive per backup, in your own store."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help(), err=True)
        ctx.exit(2)


def _stop(number: int, _: object) -> None:
    # Unwinds like Ctrl-C, so that a partial upload is aborted; the exit code is the shell's for the signal.
    end_after(number)
    terminal.tell(f"bakthat: stopped by {signal.Signals(number).name}")
    raise StoppedBySignal(128 + number)


def _open_standard_streams() -> None:
    # Where one is closed (`2>&-`), Python has None in its place, and the next file that is opened takes its number.
    # What takes the place of standard input cannot be read: a missing stream must not pass for an empty one.
    while (number := os.open(os.devnull, os.O_WRONLY)) <= 2:
        os.set_inheritable(number, True)
    os.close(number)
    sys.stdin = sys.stdin or os.fdopen(0, closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)


def _message_of(error: click.ClickException) -> str:
    message = " ".join(error.format_message().split())  # click lists choices on lines of their own
    if isinstance(error, click.MissingParameter) and error.param is not None and error.param.name == "name":
        return f"{message} `bakthat show` lists the backups."
    context = getattr(error, "ctx", None)
    if message.startswith("Got unexpected extra argument") and context is not None and context.info_name == "restore":
        return f"{message}; --only PATTERN restores a part, --target DIR says where to"
    return message


def _is_from_echo(error: OSError) -> bool:
    """Whether click could not write a help or the version, which it writes by itself."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return frame.f_code is click.echo.__code__


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with the documented code."""
    if arguments is None:
        ensure_utf8_mode()
    # Starting creates many objects and hardly any garbage. Python's default frequency of collection, and the one at the
    # end, cost 0.15 s per command.
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    _open_standard_streams()
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as `nohup` leaves it
            signal.signal(number, _stop)
    end_if_signals_are_not_handled([signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
    if COMPLETION_VARIABLE in os.environ:
        from bakthat.entrypoints.completion import answer

        with contextlib.suppress(Exception):  # a shell that has lost interest
            terminal.result_bytes([answer(cli, os.environ[COMPLETION_VARIABLE]).encode()])
        sys.exit(0)
    arguments = sys.argv[1:] if arguments is None else arguments
    as_json = json_output.is_wanted(arguments)
    code = 0
    try:
        result = cli.main(arguments, prog_name="bakthat", standalone_mode=False)
        code = result if isinstance(result, int) else 0
    except errors.BakthatError as error:
        code = exit_code(error)
        json_output.tell_error(error, str(error), code, as_json=as_json)
    except click.ClickException as error:
        code = 2
        json_output.tell_error(error, _message_of(error), code, as_json=as_json)
        context = getattr(error, "ctx", None)
        if context is not None and not as_json:
            terminal.tell(f"See `{context.command_path} -h`.")
    except (KeyboardInterrupt, click.Abort):
        terminal.tell("bakthat: stopped")
        code = 130
    except StoppedBySignal:
        raise
    except SystemExit as error:
        # bakthat's own commands never raise it; a store from another package or its libraries may.
        code = 1
        message = f"something that is not bakthat's tried to end the program ({error.code!r})"
        json_output.tell_error(error, message, code, as_json=as_json)
    except (BrokenPipeError, terminal.ReaderGone):
        # The reader of our output has gone; nothing more can be written there.
        terminal.drop_output()
        code = 128 + signal.SIGPIPE
    except OSError as error:
        if not _is_from_echo(error):
            raise
        terminal.drop_output()
        terminal.tell(f"bakthat: {terminal.OUTPUT_LOST}: {error.strerror}")
        code = 1
    gc.freeze()
    sys.exit(code)
