"""Model contracts: what is trained, on which terms, and the weights after each round."""
