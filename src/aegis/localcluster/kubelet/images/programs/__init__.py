"""Programs that run inside pods; each stands alone and imports only the standard library."""
