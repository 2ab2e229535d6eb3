"""Controllers: the work queue and the reconcile loop."""
