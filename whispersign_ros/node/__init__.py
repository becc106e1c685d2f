"""What all nodes share: lifecycle, parameters, QoS, diagnostics and discovery."""
