"""Settings of all tests."""

from hypothesis import settings

# The machine that runs the tests is shared: how long an example takes says nothing.
settings.register_profile("convviz", deadline=None, print_blob=True)
settings.load_profile("convviz")
