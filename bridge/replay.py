"""Replay for the command line."""

from offchain_book.recovery import replay

__all__ = ["replay"]
