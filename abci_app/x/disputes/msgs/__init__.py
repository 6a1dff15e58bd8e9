"""The room's handlers: the game from the challenge down to one operation, and the proof of that operation."""
