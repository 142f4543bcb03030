"""The steady regime: streams of requests with rates, no start times."""
