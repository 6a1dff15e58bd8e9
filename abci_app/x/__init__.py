"""Every feature of the chain, one room each."""
