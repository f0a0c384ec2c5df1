"""A local Discord, OpenAI and Perplexity, so that everything runs with no account. All on 127.0.0.1."""
