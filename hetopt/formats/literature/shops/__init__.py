"""Shops: jobs that pass machines in an order of their own."""
