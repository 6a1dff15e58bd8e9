"""What both sides of the wire share: errors, numbers, coins, addresses, transactions, proofs."""
