"""Installs the bot as a systemd service: the unit files, and what they need from the machine."""
