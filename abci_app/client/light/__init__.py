"""The light client: what a chain's validators signed, checked here; a node's word counts for nothing."""
