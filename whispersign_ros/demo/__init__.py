# SPDX-License-Identifier: MIT
"""The demos: recognise bundled recordings, and drive a simulated robot by signs."""
