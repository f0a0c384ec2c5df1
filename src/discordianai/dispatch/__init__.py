"""Queue, budget, circuit breaker, retries and routing: what a question passes on its way to a provider."""
