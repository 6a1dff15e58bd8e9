"""The genesis of a local network: the app's own composer, given this network's validators."""
