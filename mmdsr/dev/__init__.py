"""What finds faults: mutated inputs, and a count of what became of them."""
