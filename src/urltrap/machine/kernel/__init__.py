"""The kernel of one machine: processes as generators, descriptors, pipes, terminals, signals, budgets."""
