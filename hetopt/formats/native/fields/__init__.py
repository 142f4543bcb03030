"""Fields of a document: what each takes, where each may stand, and units that were forgotten."""
