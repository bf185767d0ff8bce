"""What axe-core has to say against a page: https://github.com/dequelabs/axe-core/blob/develop/doc/rule-descriptions.md"""

from functools import cache
from importlib.resources import files

from playwright.sync_api import Page

FOUND = """async () => (await axe.run()).violations.map(
  ({id, nodes}) => `${id}: ${nodes.slice(0, 3).map((node) => node.html.slice(0, 160)).join(" … ")}`)"""


@cache
def _axe() -> str:
    # Only the script of the package is used.
    return (files("axe_playwright_python") / "axe.min.js").read_text()


def violations(page: Page) -> list[str]:
    """Each rule that the page breaks, with the first elements that do."""
    page.evaluate(f"() => {{ {_axe()} }}")
    found: list[str] = page.evaluate(FOUND)
    return found
