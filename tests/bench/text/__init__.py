"""How well contracts for characters learn, in one process, beside what counting reaches."""
