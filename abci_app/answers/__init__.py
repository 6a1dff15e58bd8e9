"""Answers of a contract's model, computed from chain data, for all who do: hosts, auditors, users who check."""
