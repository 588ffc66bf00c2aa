"""The exchange: book, ledger, risk, journal and the API dialects. No chain inside."""
