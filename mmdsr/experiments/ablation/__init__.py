"""Ablation studies: rows that differ in one thing, under one budget."""
