"""The ROS 2 side of WhisperSign: thin nodes around whispersign_model."""
