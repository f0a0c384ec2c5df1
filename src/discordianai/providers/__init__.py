"""OpenAI and Perplexity: builds a request, reads its stream, names its errors."""
