"""An OpenAI-compatible endpoint that pays the chain's hosts from a local key, within limits."""
