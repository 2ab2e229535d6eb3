"""Custom resource definitions: the strategy of the kind, the controller that serves them, and custom resources."""
