"""Who may ask the service for what: tokens, rates, and the log of what was changed."""
