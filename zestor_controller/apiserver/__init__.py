"""The embedded API server: in process, over HTTPS, faithful to kube-apiserver."""
