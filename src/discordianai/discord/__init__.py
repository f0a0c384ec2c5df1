"""Discord: what people do there comes in here, and answers go out."""
