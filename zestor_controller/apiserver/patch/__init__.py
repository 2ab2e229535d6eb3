"""Patches: JSON and merge patch, strategic merge patch, managed fields, the last-applied annotation."""
