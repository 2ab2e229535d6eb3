"""What is served, as documents: groups and resources, OpenAPI v3 and v2."""
