"""The HTTP side: paths, bodies, verbs, watches; all decisions are plain functions from a call to a reply."""
