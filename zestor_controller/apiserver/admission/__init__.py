"""Checks of writes that concern other objects than the written one: namespaces, escalation of rights."""
