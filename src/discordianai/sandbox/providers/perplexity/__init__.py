"""The sandbox's Perplexity."""
