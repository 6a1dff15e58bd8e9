"""Quantisers: integers of any exponent to int8 and int16 operands of products.

An op of the array level: `dispatch.implementation("quantise")` gives view, nearest and draw on the back end in use.
Source: kernels/README.md sections 3 and 4, and README.md beside this file.
"""
