"""Published lists, one file per format. `render("csv", rows, now)` gives the bytes of one."""

from urltrap.feeds.registry import FORMATS, Feed, FeedError, feed, render

from urltrap.feeds import csv, json, txt  # isort: skip  # each registers itself

__all__ = ["FORMATS", "Feed", "FeedError", "csv", "feed", "json", "render", "txt"]
