"""What all pages and JSON routes share: answers, problems, forms, words, security, the stream of events."""
