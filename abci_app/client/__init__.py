"""The client side: keys, transactions, and talking to a node."""
