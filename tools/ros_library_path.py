# SPDX-License-Identifier: MIT
"""Let Python find our message libraries in an environment over a sourced ROS 2.

The set-up copies this module into the environment, where it runs whenever Python starts. ROS loads
message libraries by file name only, so their folder must be on the loader's search path when the
process starts. This module restarts the process with that path, as the ROS wheels do.
"""

from __future__ import annotations

import os
import sys

SEARCH_PATH = "LD_LIBRARY_PATH"
GUARD = "_WHISPERSIGN_LIBRARY_PATH"  # set in the restarted process, so that it restarts only once


def begin_anew() -> None:
    """Restart this process with the environment's ``lib`` on the loader's search path."""
    library = os.path.join(sys.prefix, "lib")
    searched = [path for path in os.environ.get(SEARCH_PATH, "").split(os.pathsep) if path]
    if library not in searched and os.environ.get(GUARD) != library:
        os.environ.update({GUARD: library, SEARCH_PATH: os.pathsep.join([library, *searched])})
        os.execv(sys.executable, sys.orig_argv)


begin_anew()
