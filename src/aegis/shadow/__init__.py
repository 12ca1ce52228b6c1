"""Trying a fix in isolation, red before green."""
