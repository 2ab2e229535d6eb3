"""Structural schemas: field errors, pruning, defaulting and validation."""
