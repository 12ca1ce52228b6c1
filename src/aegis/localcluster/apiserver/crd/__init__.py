"""Custom resources: their definitions, and their objects by structural schema."""
