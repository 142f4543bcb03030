"""What a schedule draws and holds over time: sums of intervals, and what idles between them."""
