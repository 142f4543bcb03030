"""The live loop: events in, decisions out, plans made anew as rates, times and units change."""
