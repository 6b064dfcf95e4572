"""Questions to the store, one module per subject; each takes the store and answers with models of `model.views`."""
