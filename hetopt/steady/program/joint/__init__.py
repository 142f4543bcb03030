"""Programs of several demands that one fleet serves: scenarios, and periods in time."""
