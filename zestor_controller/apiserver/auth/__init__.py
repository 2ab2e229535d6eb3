"""Who a request is from and what it may do: authentication, tokens, impersonation, authorization, audit."""
