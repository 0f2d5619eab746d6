"""Training: one loop, its budget, its start, its checkpoints."""
