"""The auditor: a process beside a validator's node that recomputes what the chain asks it about."""
