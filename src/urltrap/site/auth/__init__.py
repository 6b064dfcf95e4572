"""Who may see what: log-in, roles, keys of the API. `gate` stands before all routes, `rules` says what each wants."""
