"""What a cluster says that it has, as devices of an instance."""
