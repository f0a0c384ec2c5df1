"""The front door: what people do in Discord comes in here, and answers go out."""
