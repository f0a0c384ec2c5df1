"""The checks of `discordianai check`, one module each.

What needs no network is in `settings`, `environment`, `files` and `database`; `online` asks Discord and the
providers, and imports what that takes.
"""
