"""Accounts of the site as rows: users, their log-ins, keys of the API, waits after failures, the log of what was done.

What a password or a code is, is not known here: callers bring hashes (`site.auth`).
"""
