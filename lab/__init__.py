"""What both sides of the wire agree on. Imports no other room of the project."""
