"""One file per change of the schema; files of a release are never edited afterwards."""
