"""The networking.k8s.io group: Ingresses, their classes and NetworkPolicies."""
