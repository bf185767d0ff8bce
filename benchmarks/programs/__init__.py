"""What the benchmarks run in processes of their own: the contenders' workers and who sends to them."""
