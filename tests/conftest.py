"""Settings for every test: no property fails for being slow, because machines differ."""

from hypothesis import settings

settings.register_profile("gradus", deadline=None, print_blob=True)
settings.load_profile("gradus")
