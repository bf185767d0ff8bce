"""Experiments on the lab that runs: kept in the store, run one at a time by a process of their own."""
