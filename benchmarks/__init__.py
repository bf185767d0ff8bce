"""The lab's own speed, as ratios within one run: `make bench`."""
