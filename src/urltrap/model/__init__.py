"""The nouns of urltrap as frozen data: the same types are journal records, API answers and JSON Schema."""
