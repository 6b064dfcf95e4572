"""The site for everyone: no log-in, no cookie, no script; the same pages are served and exported as files."""
