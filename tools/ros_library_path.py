# SPDX-License-Identifier: MIT
"""Make the libraries of our messages loadable in an environment over a sourced ROS 2.

The set-up copies this module into such an environment, where it runs at every Python start. ROS
loads message libraries by bare name, so their folder must be on the loader's search path when the
process starts. The module restarts the process with that path. (The ROS wheels do the same.)
"""

from __future__ import annotations

import os
import sys

SEARCH_PATH = "LD_LIBRARY_PATH"
GUARD = "_WHISPERSIGN_LIBRARY_PATH"  # set in the restarted process, which must not restart again


def begin_anew() -> None:
    """Restart this process with ``lib`` of this environment on the loader's search path."""
    library = os.path.join(sys.prefix, "lib")
    searched = [path for path in os.environ.get(SEARCH_PATH, "").split(os.pathsep) if path]
    if library not in searched and os.environ.get(GUARD) != library:
        os.environ.update({GUARD: library, SEARCH_PATH: os.pathsep.join([library, *searched])})
        os.execv(sys.executable, sys.orig_argv)


begin_anew()
