"""The `gradus` command."""
