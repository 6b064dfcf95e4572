"""Running a text on the recovery machine."""
