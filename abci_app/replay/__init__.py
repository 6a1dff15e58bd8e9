"""Replay: what a chain has computed, computed again from its own records and blocks, and compared byte by byte."""
