"""Inner products and weighted sums of the rows of a stack on the CPU: Gram matrix, squares, sums, means of neighbours.

Source: README.md of the folder above.
"""
