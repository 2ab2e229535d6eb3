"""The composition root: the server and its objects at the start, certificates, sockets, the kubeconfig."""
