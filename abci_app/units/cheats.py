"""Where miners and auditors may be told to cheat: on test networks alone, to show that it is caught and costs."""

TEST_CHAINS = ("gradus-local", "gradus-test", "test")


def is_test_chain(chain_id: str) -> bool:
    """Whether a chain is a test network: its name begins with one of TEST_CHAINS."""
    return chain_id.startswith(TEST_CHAINS)
