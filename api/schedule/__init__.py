"""What runs by the clock: which due times were run, the reports that came of it, and the clean-up."""
