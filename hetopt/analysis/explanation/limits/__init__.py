"""The limits of an instance: what each is, how it is lifted or moved."""
