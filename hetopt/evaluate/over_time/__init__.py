"""What a schedule does, draws and holds over time: times, sums of intervals, idle gaps."""
