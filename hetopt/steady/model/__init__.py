"""What an instance of streams offers: resources, capacity of units."""
