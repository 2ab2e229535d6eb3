"""Text formats as Go reads and writes them: JSON, YAML, numbers, base64, and how deeply a document may be nested."""
