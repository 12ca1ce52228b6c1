"""The Falco language and what Falco writes. It knows nothing of AEGIS."""
