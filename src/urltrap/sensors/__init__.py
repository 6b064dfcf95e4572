"""Network-facing services: they join wire and machine to the journal and do nothing else."""
