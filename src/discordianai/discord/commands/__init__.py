"""The bot's Discord commands: one module each, and the registry that lists them."""
