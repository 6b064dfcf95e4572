"""Taking apart what shell texts arrive in: requests, documents, look-ups, mails."""
