"""The lab's store: all of its SQL, and nothing else."""
