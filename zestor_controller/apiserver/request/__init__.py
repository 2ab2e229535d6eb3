"""What a request asks for: its body, patch and options, and its selectors."""
