"""What the operator can set: `settings.toml`, what is wrong in it, and what of it changes while the bot runs."""
