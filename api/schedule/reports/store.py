"""Reports as the store keeps them, and what became of their mails."""

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from api.database import writing
from api.models import reports
from api.queries import Row
from api.schedule.reports.queries import figures
from lab.clock import now_us


class ReportRows:
    """The table of reports. May be shared by threads."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def make(self, task_id: str, since_us: int, until_us: int) -> Row:
        """The report of the task `task_id`: made now, or earlier by the same task."""
        mine = reports.c.task_id == task_id
        if (known := self._one(mine)) is not None:
            return known
        values = {
            "task_id": task_id,
            "since_us": since_us,
            "until_us": until_us,
            "figures": figures(self._engine, since_us, until_us),
            "created_us": now_us(),
        }
        try:
            with writing(self._engine) as connection:
                made = connection.execute(reports.insert().values(values).returning(reports))
                return dict(made.mappings().one())
        except IntegrityError:  # the same task, delivered twice: the other worker was faster
            return self.make(task_id, since_us, until_us)

    def get(self, report_id: int) -> Row | None:
        """The report with this id, or None."""
        return self._one(reports.c.id == report_id)

    def newest(self, limit: int) -> list[Row]:
        """The newest reports."""
        query = sa.select(reports).order_by(reports.c.id.desc()).limit(limit)
        with self._engine.connect() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def begin_mail(self, task_id: str) -> bool:
        """Notes that the task's report is about to be handed to the mail server; False where that was noted
        before and did not fail, for then nobody may hand it over again."""
        free = sa.or_(reports.c.mail.is_(None), reports.c.mail == "failed")
        return self._set_mail(sa.and_(reports.c.task_id == task_id, free), "sending", None)

    def end_mail(self, task_id: str, state: str, error: str | None) -> None:
        """Notes that the task's mail is `sent`, or `failed` with an `error`."""
        unsent = sa.or_(reports.c.mail.is_(None), reports.c.mail != "sent")
        self._set_mail(sa.and_(reports.c.task_id == task_id, unsent), state, error)

    def _set_mail(self, where: sa.ColumnElement[bool], state: str, error: str | None) -> bool:
        change = reports.update().where(where).values(mail=state, mail_error=error, mail_us=now_us())
        with writing(self._engine) as connection:
            return connection.execute(change).rowcount == 1

    def _one(self, where: sa.ColumnElement[bool]) -> Row | None:
        with self._engine.connect() as connection:
            row = connection.execute(sa.select(reports).where(where)).mappings().first()
        return None if row is None else dict(row)
