"""What all tests share: the venue of the pytest plugin, named here so that it needs no fresh installation of the checkout, and
Hypothesis, which makes the same examples in every run: on a slow machine, in a clean clone, whatever was imported before."""

from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers

from bridge.pytest_plugin import causeway_process, causeway_venue

__all__ = ["causeway_process", "causeway_venue"]

settings.register_profile(
    "same", deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("same")
# Hypothesis also draws numbers and texts that it finds in the source of all modules imported so far: with xdist those of
# the files that a worker ran before. Its version is pinned; without this name a newer one fails here.
assert providers._get_local_constants
providers._get_local_constants = lambda: providers._local_constants
