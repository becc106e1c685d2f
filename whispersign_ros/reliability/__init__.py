"""Proof that the live graph can be relied on: faults that it must get over, and a long soak."""
