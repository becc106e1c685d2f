"""The WhisperSign network and the checkpoint that carries it."""
