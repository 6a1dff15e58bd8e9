"""The committed state: layered writes, authenticated trees, proofs, one atomic write per height."""
