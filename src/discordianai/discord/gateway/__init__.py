"""The connection to Discord's gateway, on an asyncio loop of its own."""
