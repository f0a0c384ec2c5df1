"""Makes the bot a systemd service: which files, what is in them, and what they need of the machine."""
