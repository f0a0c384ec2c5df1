"""Converts the config.ini of johndotpub/DiscordianAI into a settings.toml."""

from discordianai.legacy_import.converting import Migration, migrate

__all__ = ["Migration", "migrate"]
