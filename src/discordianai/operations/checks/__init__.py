"""The checks of `discordianai check`, one module each.

What needs no network is in `settings_check`, `environment`, `price_check`, `database_check` and
`postgres_check`; `online` asks Discord and the providers, and imports what that takes.
"""
