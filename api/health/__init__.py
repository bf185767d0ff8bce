"""Whether the lab is well: for probes, Prometheus and the header, with the books of what is nowhere."""
