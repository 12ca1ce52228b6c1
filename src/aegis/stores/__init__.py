"""Where incidents and the audit log are kept."""
