"""Playback of recordings in real time."""
