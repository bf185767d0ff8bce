"""The fault lab: strikes a running system of its own, and tells who lost what; `python -m faults`."""
