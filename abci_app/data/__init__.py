"""Datasets: from a table to canonical integer rows under a Merkle root, and the folder that holds them."""
