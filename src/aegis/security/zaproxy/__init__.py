"""ZAP's baseline scan: what its reports say, and the ways to run it that need no cluster."""
