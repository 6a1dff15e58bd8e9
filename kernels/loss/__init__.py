"""The slope of a batch's summed loss with respect to the model's outputs: cross-entropy and half squared error.

An op of the array level: `dispatch.implementation("loss")` gives cross_entropy and squared_error on the back end in
use. Source: kernels/README.md section 7.2, and README.md beside this file.
"""

from __future__ import annotations

TARGET_EXPONENT = 16
TARGET_MAX = 2**26
SLOPE_MAX = 2**30 - 1
