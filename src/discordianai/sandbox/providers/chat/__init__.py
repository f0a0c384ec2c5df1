"""Chat completions, and the sandbox's foreign service, which knows nothing else."""
