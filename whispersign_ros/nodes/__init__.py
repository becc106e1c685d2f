# SPDX-License-Identifier: MIT
"""The ROS nodes, one module per node, named after its executable."""
