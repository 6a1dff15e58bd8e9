"""Arrays of the back end in use, made of numpy's and given back as numpy's.

An op of the array level: `dispatch.implementation("memory")` gives on the back end in use

    put(array) -> Array          of a numpy array of integers; a copy, or the array itself where that serves
    new(shape, dtype) -> Array   uninitialised
    take(array) -> numpy array   of the same values; its integer type is the back end's affair
    number(scalar) -> int        of an exponent or a magnitude of a Tensor
"""
