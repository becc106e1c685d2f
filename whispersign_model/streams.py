# SPDX-License-Identifier: MIT
"""The standard output and error of a process."""

import io
import logging
import os
import re
import sys
import threading
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

from whispersign_model.errors import describe

DEBUG = "WHISPERSIGN_DEBUG"  # environment variable: shows tracebacks and messages of libraries
AGAIN = f"{DEBUG}=1"
EXIT_FAULT = 2
EXIT_PIPE = 141  # a shell's exit code for SIGPIPE

# How the lines begin that MediaPipe (absl), TensorFlow Lite, OpenCV, libjpeg and libpng write.
_CHATTER = re.compile(
    rb"(?:[IWE]\d{4} [\d:.]+ +\d+ [\w./-]+:\d+\] "
    rb"|INFO: Created TensorFlow Lite "
    rb"|WARNING: (?:All log messages|Logging) before "
    rb"|\[ *(?:INFO|WARN|ERROR):\d+@[\d.]+\] "
    rb"|(?:Corrupt JPEG data|Premature end of JPEG file|libpng error|libpng warning)\b)"
    rb"[^\n]*\n?"
)
_descriptor = threading.Lock()  # of descriptor 2, while it leads elsewhere


def prepare_output() -> None:
    """Make stdout and stderr usable, whatever they are.

    They escape characters that their encoding lacks, rather than fail: a terminal or a pipe may be
    ASCII or Latin-1, while progress bars draw with Unicode and glosses are in any script.
    Undecodable bytes of file names are escaped, too. A closed stream is replaced by ``/dev/null``.
    Matplotlib does not report that it works without its cache.
    """
    logging.getLogger("matplotlib").addFilter(_is_error)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 (until the process ends)
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _is_error(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.ERROR


def finish_output(program: str, code: int) -> int:
    """Flush stdout and return the exit code of the process.

    Args:
        program: name of the program, for the error message.
        code: exit code if the output could be written.

    Returns:
        ``code``; or 141 if the reader of the pipe, such as head, has closed it; or 2 if the output
        cannot be written, which one line on stderr says.
    """
    try:
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        code = EXIT_PIPE
    except OSError as error:
        if code != EXIT_FAULT:
            tell(f"{program}: error: the output cannot be written ({error.strerror})")
        code = EXIT_FAULT
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code


def tell(text: str) -> None:
    """Print a line on stderr, unless nobody reads it any more."""
    with suppress(OSError):
        print(text, file=sys.stderr, flush=True)


def tell_error(
    program: str, error: BaseException, files: Iterable[str] = (), again: str = AGAIN
) -> None:
    """Print an error on one line that begins with the name of the program; see ``described``."""
    tell(described(error, files, again, f"{program}: error: "))


def described(
    error: BaseException, files: Iterable[str] = (), again: str = AGAIN, start: str = ""
) -> str:
    """Describe an error on one line, after its traceback if ``WHISPERSIGN_DEBUG`` is set.

    Args:
        error: the error.
        files: names that an unexpected error mentions.
        again: how to repeat the command so that it shows a traceback.
        start: begins the line.
    """
    line = f"{start}{describe(error, files, again)}"
    if not os.environ.get(DEBUG):
        return line
    return "".join([*traceback.format_exception(type(error), error, error.__traceback__), line])


@contextmanager
def debugging(enabled: bool) -> Iterator[None]:
    """Set ``WHISPERSIGN_DEBUG`` for this process and its children, if ``enabled``."""
    before = os.environ.get(DEBUG)
    if enabled:
        os.environ[DEBUG] = "1"
    try:
        yield
    finally:
        if enabled:
            os.environ.pop(DEBUG)
            os.environ.update({DEBUG: before} if before is not None else {})


@contextmanager
def without_library_messages() -> Iterator[None]:
    """Drop the messages that C++ libraries write to descriptor 2 within the block.

    Whatever else is written there appears at the end of the block. With ``WHISPERSIGN_DEBUG``,
    everything appears at once.
    """
    if os.environ.get(DEBUG):
        yield
        return
    with _descriptor:
        try:
            stderr = os.dup(2)
        except OSError:  # it is closed
            yield
            return
        held = os.memfd_create("stderr")
        os.dup2(held, 2)
        try:
            yield
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            with open(held, "rb") as file, suppress(OSError):
                file.seek(0)
                os.write(2, _CHATTER.sub(b"", file.read()))
