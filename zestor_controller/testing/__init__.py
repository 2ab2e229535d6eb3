"""Test helpers for users of this package: pytest fixtures, the store's conformance suite, real client binaries.

Nothing below this room knows that tests exist.
"""
