"""Tasks of your own: each function in this file is one, by every method, in the form and in the API.

docs/own-tasks.md shows how. Functions whose names begin with an underscore are helpers.
"""


def word_count(text: str, shortest: int = 1) -> dict[str, int]:
    """How often each word of `text` with at least `shortest` letters occurs."""
    words = [word.strip(".,:;!?()\"'«»").lower() for word in text.split()]
    return {word: words.count(word) for word in sorted(set(words)) if len(word) >= shortest}
