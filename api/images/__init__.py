"""Uploaded images and what became of them: kept by the API, fetched and delivered by workers."""
