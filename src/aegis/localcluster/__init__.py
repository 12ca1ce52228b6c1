"""The embedded cluster: a Kubernetes API server, its controllers, and a kubelet that runs pods as processes."""
