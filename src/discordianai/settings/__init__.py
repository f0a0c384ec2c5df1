"""The operator's settings: `settings.toml`, what is wrong in it, and what changes while the bot runs."""
