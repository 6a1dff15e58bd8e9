"""Replaying units that others claim, challenging wrong ones, and playing disputes to their end."""
