"""The room's stateless rules, one file for each noun: terms, limits, changes, messages, defaults."""

from abci_app.x.models.types.defaults import CHALLENGE_BLOCKS, default_spec
from abci_app.x.models.types.messages import check_create_model
from abci_app.x.models.types.terms import (
    CODEC, CODECS, RULES, STORE, UNITS_MAX, check_spec, compute_bond_min, compute_learning_rate_q16,
)

__all__ = ["CHALLENGE_BLOCKS", "CODEC", "CODECS", "RULES", "STORE", "UNITS_MAX", "check_create_model", "check_spec",
           "compute_bond_min", "compute_learning_rate_q16", "default_spec"]
