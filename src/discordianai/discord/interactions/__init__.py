"""Interactions and messages on their way in: parsed, routed, admitted, acknowledged."""
