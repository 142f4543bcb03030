"""Streams that share nothing, solved apart and put together again."""
