"""Units of work recomputed from chain data, for all who do: miners, auditors, watchers, replays."""
