"""Events: one stored form, served by the core group and by events.k8s.io."""
