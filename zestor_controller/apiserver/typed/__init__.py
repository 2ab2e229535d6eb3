"""Types and typed values: field tables, type checks, field sets, as structured-merge-diff has them."""
