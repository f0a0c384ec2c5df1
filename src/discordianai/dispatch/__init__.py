"""What stands between a question and a provider."""
