"""The shared venue of all tests, from the pytest plugin; named here so that it needs no fresh installation of the checkout."""

from bridge.pytest_plugin import causeway_process, causeway_venue

__all__ = ["causeway_process", "causeway_venue"]
