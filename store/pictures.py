"""The picture that all processes of the API share, and the lease that lets one of them renew it."""

from typing import Any, Final

import sqlalchemy as sa

from lab.clock import now_us
from store.engine import writing
from store.tables import control_picture

LEASE_US: Final = 20_000_000
_ROW: Final = control_picture.c.id == 1


class Pictures:
    """The row of `control_picture` in the database behind `engine`."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def taken_us(self) -> tuple[int, int]:
        """When the picture was last begun, and until when somebody has leave to take the next."""
        query = sa.select(control_picture.c.at_us, control_picture.c.lease_until_us).where(_ROW)
        with self._engine.connect() as connection:
            at_us, lease_until_us = connection.execute(query).one()
        return int(at_us), int(lease_until_us)

    def read(self) -> dict[str, Any] | None:
        """The picture; None where there has never been one."""
        with self._engine.connect() as connection:
            picture: dict[str, Any] | None = connection.execute(
                sa.select(control_picture.c.picture).where(_ROW)
            ).scalar_one()
        return picture

    def claim(self, older_than_us: int) -> bool:
        """Takes the lease; False where the picture is not that old yet, or somebody else has it."""
        now = now_us()
        free = sa.and_(
            _ROW,
            control_picture.c.at_us <= now - older_than_us,
            control_picture.c.lease_until_us <= now,
        )
        lease = control_picture.update().where(free).values(lease_until_us=now + LEASE_US)
        with writing(self._engine) as connection:
            return connection.execute(lease).rowcount == 1

    def save(self, picture: dict[str, Any] | None, begun_us: int) -> None:
        """Keeps `picture` (None leaves the one there is) and gives the lease back."""
        values = {"at_us": begun_us, "lease_until_us": 0, **({"picture": picture} if picture else {})}
        with writing(self._engine) as connection:
            connection.execute(control_picture.update().where(_ROW).values(values))
