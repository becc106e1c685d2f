"""A simulated robot: how it moves, what signs should make it do, and pictures of its way."""
