"""Training data: clips to augmented batches."""
