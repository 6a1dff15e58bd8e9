"""The one exception of this package."""

from __future__ import annotations


class KernelInputError(ValueError):
    """An argument is outside the domain of an op: wrong type, length, range or encoding.

    The text names the argument and what would be right. Nothing else is raised on account of input.
    """
