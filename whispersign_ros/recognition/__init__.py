# SPDX-License-Identifier: MIT
"""Recognition outside the executor: the worker thread and the action server."""
