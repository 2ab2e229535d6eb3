"""The core group: namespaces, configuration, nodes, volumes, Services and their endpoints."""
