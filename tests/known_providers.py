"""The providers that tests speak of: the two of the shipped settings, and one of the operator's own."""

from discordianai.providers.options import provider
from discordianai.records import Dialect

OPENAI = provider("openai", "OpenAI", Dialect.RESPONSES)
PERPLEXITY = provider("perplexity", "Perplexity", Dialect.AGENT)
FOREIGN = provider("foreign", "Foreign", Dialect.CHAT)
