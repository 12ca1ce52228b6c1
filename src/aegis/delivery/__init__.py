"""Approval, applying, watching, rolling back."""
