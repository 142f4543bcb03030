"""From observed executions to better options, and to the news that one has drifted."""
