"""Revisions and watchers, their history and its bounds, and the journal that keeps them in a folder."""
