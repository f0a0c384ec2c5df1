"""Discord's permissions, by its names and bits: the bot's own and people's."""

ADMINISTRATOR = 1 << 3
"""It includes all others."""
MANAGE_CHANNELS = 1 << 4
VIEW_CHANNEL = 1 << 10
SEND_MESSAGES = 1 << 11
MANAGE_MESSAGES = 1 << 13
ATTACH_FILES = 1 << 15
READ_MESSAGE_HISTORY = 1 << 16
MANAGE_THREADS = 1 << 34
CREATE_PUBLIC_THREADS = 1 << 35
SEND_MESSAGES_IN_THREADS = 1 << 38
USE_EXTERNAL_APPS = 1 << 50
"""Without it, Discord shows what a guest's app answers to nobody else."""
BYPASS_SLOWMODE = 1 << 52
