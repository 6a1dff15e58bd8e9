"""The auditor: a process beside a validator's node that recomputes the units which the chain asks it about."""
