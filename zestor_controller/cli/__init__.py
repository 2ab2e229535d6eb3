"""The command ``zestor``."""
