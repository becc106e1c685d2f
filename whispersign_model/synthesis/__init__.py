# SPDX-License-Identifier: MIT
"""Synthetic signers for tests and demos: lexicon, sentences, sensor models and rendering."""
