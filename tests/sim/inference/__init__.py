"""Paid inference in the simulation: hosts, users, sessions, their coins, and what must be true of them."""
