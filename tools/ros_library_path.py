# SPDX-License-Identifier: MIT
"""Let every Python of an environment over a sourced ROS 2 load the libraries of our messages.

The set-up copies this module into such an environment, where it runs at each start. ROS loads the
libraries of a message package by bare name, so their folder must be on the loader's search path
before the process starts: the process is begun anew with it. (The ROS wheels do the same.)
"""

from __future__ import annotations

import os
import sys

SEARCH_PATH = "LD_LIBRARY_PATH"
GUARD = "_WHISPERSIGN_LIBRARY_PATH"  # set in the process begun anew: never twice


def begin_anew() -> None:
    """Replace this process by one whose loader searches ``lib`` of this environment too."""
    library = os.path.join(sys.prefix, "lib")
    searched = [path for path in os.environ.get(SEARCH_PATH, "").split(os.pathsep) if path]
    if library not in searched and os.environ.get(GUARD) != library:
        os.environ.update({GUARD: library, SEARCH_PATH: os.pathsep.join([library, *searched])})
        os.execv(sys.executable, sys.orig_argv)


begin_anew()
