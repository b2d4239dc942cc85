"""What every test may ask for."""

from hypothesis import settings

pytest_plugins = ["tests.controlplane.fixtures"]

# How long an example takes depends on who else uses the machine; it is no property of the code.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
