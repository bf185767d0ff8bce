"""Starts and stops the lab's parts on one machine: for `make up`, tests, benchmarks and fault runs."""
