"""Scanners and their policy: one file a scanner."""
