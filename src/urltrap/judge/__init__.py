"""Weighs the evidence on a URL into a verdict with its reasons and a class."""
