"""Monitoring and administration of a running bot."""
