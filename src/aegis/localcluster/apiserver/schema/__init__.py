"""Structural schemas of custom resources: pruning, defaults, checks and rules."""
