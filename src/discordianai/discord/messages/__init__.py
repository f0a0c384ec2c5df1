"""Messages on their way out: replies, their channels and webhooks, and the limits that hold for them."""
