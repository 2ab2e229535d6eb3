"""What a resource is and what a request says: Resource, Strategy, RequestInfo, Status, the registry of resources."""
