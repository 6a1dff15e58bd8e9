"""Coins: balances, supply, transfers. See README.md."""
