"""The Gradus chain: an ABCI 2.0 state machine, its clients and its miners."""
