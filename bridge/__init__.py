"""The chain side: settlement, submitter, indexer, deployment; and the composition root (`venue.py`, `cli.py`)."""
