"""The scheduler: which node a pod runs on, and why none does."""
