"""Order statistics and plain sums of the rows of a stack on the CPU, and the way from sums to the delta.

Source: README.md of the folder above.
"""
