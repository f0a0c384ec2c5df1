"""DiscordianAI: a self-hosted Discord assistant that answers from OpenAI, Perplexity and others."""
