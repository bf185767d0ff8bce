"""Dead letters: moved from the broker into the store, shown, requeued, discarded."""
