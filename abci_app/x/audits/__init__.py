"""Room `audits`: questions to committees of validators, answered by vote extension; see README.md."""
