"""The doors: CLI, operator, HTTP, console."""
