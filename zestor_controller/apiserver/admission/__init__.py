"""Admission: the plugins that check or change a write once it is proposed, and the chain that calls them."""
