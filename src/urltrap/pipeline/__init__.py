"""The pipeline: journal → store → stages. Read `stages.py` first."""
