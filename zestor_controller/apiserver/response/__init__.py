"""How a response is encoded: negotiation, tables and partial objects, Warning headers."""
