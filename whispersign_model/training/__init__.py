"""Training and evaluation on processed datasets."""
