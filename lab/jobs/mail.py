"""Sending one mail by SMTP (RFC 5321), so that it is known whether the server took it."""

import re
import smtplib
import socket
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate
from typing import Final
from urllib.parse import unquote, urlsplit

from lab.jobs.context import TemporaryError

SECONDS: Final = 30.0
_PORTS: Final = {"smtp": 25, "smtps": 465}
# Headers and texts in ASCII, whatever they say: not every server takes more.
_POLICY: Final = SMTP.clone(cte_type="7bit")


class MailRefused(Exception):
    """The server will not take this mail, now or later."""


class MailUncertain(Exception):
    """The connection broke after the mail was handed over and before the server said whether it took it."""


@dataclass(frozen=True)
class Mail:
    """A mail in two forms of the same text; `key` makes its Message-ID, the same each time it is tried."""

    key: str
    subject: str
    text: str
    html: str


class Mailer:
    """Sends through the server at `url`, the setting SMTP_URL; connects for each mail.

    Over `smtp://` it speaks TLS where the server offers STARTTLS (RFC 3207), over `smtps://` from the start
    (RFC 8314); certificates are checked. It logs in where the URL has a user and the server asks for one.

    Args:
        url: `smtp://user:password@host:port`; user, password and port may be left out.
        recipients: addresses.
    """

    def __init__(self, url: str, recipients: Sequence[str]) -> None:
        parsed = urlsplit(url)
        self._scheme = parsed.scheme
        self._host, self._port = parsed.hostname or "localhost", parsed.port or _PORTS[parsed.scheme]
        self._user, self._password = unquote(parsed.username or ""), unquote(parsed.password or "")
        self._sender = self._user if "@" in self._user else f"transport-lab@{socket.gethostname()}"
        self._recipients = recipients

    def send(self, mail: Mail, handing_over: Callable[[], object]) -> None:
        """Sends `mail`; returns once the server has taken it. `handing_over` is called after the server has
        agreed to everything but the text itself: until then it surely has not taken the mail.

        Raises:
            MailRefused: the server said no for good (5xx), or its certificate is wrong.
            TemporaryError: it said no for now (4xx).
            OSError: there is no connection, or it broke before the mail was handed over.
            MailUncertain: it broke afterwards.
        """
        try:
            server = self._connect()
        except (smtplib.SMTPResponseException, ssl.SSLCertVerificationError) as error:
            raise _refusal(error) from error
        try:
            self._envelope(server)
            handing_over()
            self._hand_over(server, self._content(mail))
        finally:
            server.close()

    def _connect(self) -> smtplib.SMTP:
        context = ssl.create_default_context()
        server: smtplib.SMTP
        if self._scheme == "smtps":
            server = smtplib.SMTP_SSL(self._host, self._port, timeout=SECONDS, context=context)
        else:
            server = smtplib.SMTP(self._host, self._port, timeout=SECONDS)
        try:
            server.ehlo_or_helo_if_needed()
            if self._scheme == "smtp" and server.has_extn("starttls"):
                server.starttls(context=context)
                server.ehlo()
            if self._user and server.has_extn("auth"):
                server.login(self._user, self._password)
        except BaseException:
            server.close()
            raise
        return server

    def _envelope(self, server: smtplib.SMTP) -> None:
        _check(server.mail(self._sender))
        for recipient in self._recipients:
            _check(server.rcpt(recipient))
        _check(server.docmd("DATA"))

    def _hand_over(self, server: smtplib.SMTP, content: bytes) -> None:
        try:
            server.send(content)
            code, text = server.getreply()
        except OSError as error:
            raise MailUncertain(f"{type(error).__name__}: {error}") from error
        if code < 0:
            raise MailUncertain(f"the mail server said {text!r}")
        _check((code, text))
        with suppress(OSError):
            server.docmd("QUIT")

    def _content(self, mail: Mail) -> bytes:
        message = EmailMessage(_POLICY)
        message["Subject"] = mail.subject
        message["From"] = self._sender
        message["To"] = ", ".join(self._recipients)
        message["Date"] = formatdate()
        message["Message-ID"] = f"<{mail.key}@transport-lab>"
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: answers from absent people are not wanted
        message.set_content(mail.text)
        message.add_alternative(mail.html, subtype="html")
        content = message.as_bytes()
        ended = content if content.endswith(b"\r\n") else content + b"\r\n"
        return re.sub(rb"(?m)^\.", b"..", ended) + b".\r\n"


def _check(reply: tuple[int, bytes]) -> None:
    code, text = reply
    if code >= 400 or code < 0:
        raise _refusal(smtplib.SMTPResponseException(code, text))


def _refusal(error: Exception) -> Exception:
    """What `error` means for the mail: for now, or for good."""
    if not isinstance(error, smtplib.SMTPResponseException):
        return MailRefused(f"{type(error).__name__}: {error}")
    text = error.smtp_error
    words = text.decode(errors="replace") if isinstance(text, bytes) else text
    said = f"the mail server said {error.smtp_code} {words}".strip()
    return MailRefused(said) if error.smtp_code >= 500 else TemporaryError(said)
