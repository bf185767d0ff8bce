"""The rows of the page, in their order."""

from typing import Final

from api.side.feature import Feature
from api.side.rows import composing, control, delivery, timing

ROWS: Final[tuple[Feature, ...]] = (*delivery.ROWS, *timing.ROWS, *control.ROWS, *composing.ROWS)
FEATURES: Final = {row.id: row for row in ROWS}
