"""What ``whispersign bench`` measures on the ROS graph."""
