"""The apps group: kinds that keep copies of a pod template, and their revisions."""
