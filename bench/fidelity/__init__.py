"""Fidelity: command lines in a real Debian bash, a real BusyBox ash and our machine, compared byte for byte."""
