"""From evidence to the object that must change."""
