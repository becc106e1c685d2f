# SPDX-License-Identifier: MIT
"""Recognition off the executor: the worker thread and the action server."""
