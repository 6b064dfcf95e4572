"""Telnet as values: option negotiation, line ends and the log-in dialogue of BusyBox' telnetd and login."""
