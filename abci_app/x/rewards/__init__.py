"""Rewards: who is paid for accepted units, and what each trainer has contributed and earned."""
