"""What people see: dashboard, public pages and API."""
