"""Documents before they are executed: their size, cost and limits; and the size of answers."""
