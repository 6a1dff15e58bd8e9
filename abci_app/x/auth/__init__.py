"""Accounts: who may sign, with which number and sequence. See README.md."""
