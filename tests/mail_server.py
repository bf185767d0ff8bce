"""A real SMTP server for tests, which can be told how to answer."""

import ssl
import subprocess
from collections.abc import Iterable
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session

from harness.ports import free_port


class MailServer:
    """Listens on a port of its own, and keeps what it takes in `mails`.

    Args:
        replies: the answers to the first mails' texts, one each; all others are taken.
        login: the user and password that it asks for.
        tls: a certificate and its key, for STARTTLS or, with `smtps`, from the start.
    """

    def __init__(
        self,
        replies: Iterable[str] = (),
        *,
        login: tuple[str, str] | None = None,
        tls: Path | None = None,
        smtps: bool = False,
    ) -> None:
        self.replies = list(replies)
        self.mails: list[EmailMessage] = []
        self.raw: list[bytes] = []
        self.recipients: list[list[str]] = []
        self.secure: list[bool] = []
        self.attempts = 0
        self.users: list[str] = []
        self._login = login
        self._smtps = smtps
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH) if tls else None
        if context:
            context.load_cert_chain(tls or "")
        options: dict[str, Any] = {"ssl_context": context} if smtps else {"tls_context": context}
        if login:
            options |= {
                "authenticator": self._authenticate,
                "auth_require_tls": False,
                "auth_exclude_mechanism": ["LOGIN"],
            }
        self.port = free_port()
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port, **options)

    def _authenticate(
        self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        given = (data.login.decode(), data.password.decode())
        self.users.append(given[0])
        return AuthResult(success=given == self._login, handled=False)

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """aiosmtpd's hook: the text of a mail has come."""
        self.attempts += 1
        reply = self.replies.pop(0) if self.replies else "250 OK"
        if reply.startswith("250"):
            assert isinstance(envelope.content, bytes)
            self.raw.append(envelope.content)
            message = message_from_bytes(envelope.content, policy=policy.default)
            assert isinstance(message, EmailMessage)
            self.mails.append(message)
            self.recipients.append(envelope.rcpt_tos)
            self.secure.append(self._smtps or session.ssl is not None)
        return reply

    def __enter__(self) -> Self:
        self._controller.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._controller.stop()


def make_certificate(folder: Path) -> Path:
    """A certificate for localhost with its key, in one file."""
    path = folder / "localhost.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
    ]
    names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    subprocess.run(
        [*command, *names, "-keyout", path, "-out", folder / "cert.pem"], check=True, capture_output=True
    )
    path.write_text(path.read_text() + (folder / "cert.pem").read_text())
    return path
