"""A real, disposable machine behind the interface of the simulated one."""
