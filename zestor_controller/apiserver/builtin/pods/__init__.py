"""Pods and pod templates: defaults, validation, what may change, subresources."""
