"""The two flows that drive the features."""
