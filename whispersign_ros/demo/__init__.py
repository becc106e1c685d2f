# SPDX-License-Identifier: MIT
"""The demos: recognize bundled recordings, and drive a simulated robot by signs."""
