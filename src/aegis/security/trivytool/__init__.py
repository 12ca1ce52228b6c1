"""Trivy: how it is asked, what its reports mean, and whether its database may be believed."""
