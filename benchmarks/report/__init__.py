"""What a run of the benchmarks leaves to read: JSON, a page, pictures."""
