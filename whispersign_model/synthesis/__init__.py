# SPDX-License-Identifier: MIT
"""A made-up signer with hands, lexicon, sentences and pictures, for tests and demonstrations."""
