"""Training: the step, what it runs on, and what is kept of a run."""
