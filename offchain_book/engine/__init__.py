"""The rules: deterministic, no IO, no clock, no randomness, no floats. Read `exchange.py` first."""
