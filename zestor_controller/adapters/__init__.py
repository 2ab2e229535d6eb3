"""Entry points for operators that are written with other frameworks."""
