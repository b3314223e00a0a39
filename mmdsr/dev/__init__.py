"""Tools that find faults: mutated inputs, and a count of the outcomes."""
