"""What a program needs to ask models for answers, to pay for them, and to believe no node and no host by its word."""
