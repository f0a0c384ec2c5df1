"""What `discordianai check` looks at: one module for each kind of thing.

What needs no network is in `settings`, `environment`, `files` and `database`; `online` asks Discord and the
providers, and imports what that takes.
"""
