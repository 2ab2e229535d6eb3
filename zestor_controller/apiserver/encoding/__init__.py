"""Objects by the field tables of their types: decoding and defaulting, protobuf, times, quantities, JSONPath."""
