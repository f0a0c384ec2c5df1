"""What stands in for a part behind its port: providers, a store, a reply, messages."""
