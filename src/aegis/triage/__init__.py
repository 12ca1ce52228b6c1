"""Classifying runtime alerts and mending the rules."""
