"""Images without layers: what a reference runs, and the programs that the local cluster's own images need."""
