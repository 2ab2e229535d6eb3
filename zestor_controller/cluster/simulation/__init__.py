"""Simulated controllers of a cluster: kube-controller-manager, the scheduler and a kubelet, one module each."""
