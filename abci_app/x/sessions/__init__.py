"""Sessions: one deposit for many answers of one host, given beside the chain. See README.md."""
