"""Networks of real nodes on one machine: the engine's build, homes, supervision, checks over RPC."""
