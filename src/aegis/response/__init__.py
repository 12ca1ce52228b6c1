"""Answering a runtime alert."""
