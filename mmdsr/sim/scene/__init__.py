"""What is in a run: its pipe, materials and defects."""
