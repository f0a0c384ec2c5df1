"""The sandbox's OpenAI."""
