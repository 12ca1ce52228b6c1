"""The Kubernetes API's own facts: quantities, selectors, patches, pod templates, owners. Knows nothing of AEGIS."""
