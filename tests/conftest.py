"""Settings for every test: properties have no deadline, and SIGINT is not ignored, whoever started the tests.

A shell starts background jobs with SIGINT ignored, and children inherit that; tests that interrupt a command would
then wait for ever.
"""

import signal

from hypothesis import settings

settings.register_profile("gradus", deadline=None, print_blob=True)
settings.load_profile("gradus")
signal.signal(signal.SIGINT, signal.default_int_handler)
