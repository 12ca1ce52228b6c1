"""The kubelet of the local cluster: pods as real processes, each in kernel namespaces of its own."""
