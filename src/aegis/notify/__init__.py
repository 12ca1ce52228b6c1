"""Who is told: one file a channel."""
