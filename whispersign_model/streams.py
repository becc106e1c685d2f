# SPDX-License-Identifier: MIT
"""The standard output and error of a process."""

import io
import sys


def escape_unencodable() -> None:
    """Let stdout and stderr escape characters that their encoding lacks, rather than fail.

    A terminal or a pipe may be ASCII or Latin-1, while progress bars draw with Unicode and glosses
    are in any script. Undecodable bytes of file names are escaped, too.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
