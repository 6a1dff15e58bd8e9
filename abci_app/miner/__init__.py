"""The miner: a process of its own that computes the units dealt to its key and earns."""
