"""Disputes: a challenge of a unit, shrunk to one operation that every validator executes. See README.md."""
