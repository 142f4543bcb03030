"""What readers of published formats share."""
