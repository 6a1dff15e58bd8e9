"""How a block runs: context, gas, events, admission, delivery."""
