"""Training rounds: trainers, units, claims, audits, slashing. See README.md."""
