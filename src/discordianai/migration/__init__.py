"""Converts the config.ini of johndotpub/DiscordianAI into a settings.toml."""

from discordianai.migration.converting import Migration, migrate

__all__ = ["Migration", "migrate"]
