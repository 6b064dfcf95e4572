"""Addresses out of machine code and tables; nothing is executed."""
