"""The authentication.k8s.io and authorization.k8s.io groups: reviews, which are computed and never stored."""
