"""Reports on a day: figures from the store, kept, shown, and written out for mail."""
