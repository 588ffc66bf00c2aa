"""One module per dialect: they translate, they never decide."""
