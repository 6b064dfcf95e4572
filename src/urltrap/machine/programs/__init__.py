"""Programs of the machine: one module each, registered by decorator (see `registry`)."""
