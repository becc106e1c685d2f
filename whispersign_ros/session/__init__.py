"""A recording session: what is to be signed, its course, the bags of its takes, the terminal."""
