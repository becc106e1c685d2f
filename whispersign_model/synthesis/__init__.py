# SPDX-License-Identifier: MIT
"""Synthetic signers, with a lexicon, sentences and rendered pictures, for tests and demos."""
