"""The path of one request: handler (user, authorization, audit) and router (which verb of which resource serves it)."""
