"""What is read: one file a source."""
