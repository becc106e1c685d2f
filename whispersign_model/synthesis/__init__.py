# SPDX-License-Identifier: MIT
"""A parametric signer: hands, a lexicon, sentences and pictures for tests and demonstrations."""
