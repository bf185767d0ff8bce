"""Mail, to a real server that answers as it is told."""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from lab.jobs.context import TemporaryError
from lab.jobs.mail import Mail, Mailer, MailRefused, MailUncertain
from tests.mail_server import MailServer, make_certificate

MAIL = Mail("report-1", "Отчёт: 3 задачи", "Всего 3.\n.одна\n..две\n", "<p>Всего <b>3</b></p>")
TO = ("anna@example.org", "boris@example.org")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def handed() -> list[int]:
    """One entry for each time that a mail was about to be handed over."""
    return []


def mailer(server: MailServer, user: str = "", scheme: str = "smtp") -> Mailer:
    return Mailer(f"{scheme}://{user}localhost:{server.port}", TO)


def test_a_mail_arrives_as_text_and_as_html_in_ascii(handed: list[int]) -> None:
    with MailServer() as server:
        mailer(server).send(MAIL, lambda: handed.append(server.attempts))
    (mail,) = server.mails
    assert server.recipients == [list(TO)]
    assert (mail["Subject"], mail["To"]) == (MAIL.subject, ", ".join(TO))
    assert mail["Message-ID"] == "<report-1@transport-lab>"
    text, html = (mail.get_body((form,)) for form in ("plain", "html"))
    assert text is not None
    assert html is not None
    assert text.get_content().replace("\r\n", "\n") == MAIL.text
    assert html.get_content().strip() == MAIL.html
    assert server.raw[0].isascii()
    assert handed == [0]


def test_a_no_for_now_and_a_no_for_good_are_told_apart(handed: list[int]) -> None:
    with MailServer(["451 come back", "550 go away"]) as server:
        with pytest.raises(TemporaryError, match="451 come back"):
            mailer(server).send(MAIL, lambda: handed.append(1))
        with pytest.raises(MailRefused, match="550 go away"):
            mailer(server).send(MAIL, lambda: handed.append(2))
        mailer(server).send(MAIL, lambda: handed.append(3))
    assert handed == [1, 2, 3]
    assert len(server.mails) == 1


def test_it_logs_in_where_the_server_asks_for_it() -> None:
    with MailServer(login=("anna@example.org", "a p@ss")) as server:
        mailer(server, "anna%40example.org:a%20p%40ss@").send(MAIL, lambda: None)
    assert server.users == [server.mails[0]["From"]] == ["anna@example.org"]


def test_a_wrong_password_is_a_no_for_good(handed: list[int]) -> None:
    with (
        MailServer(login=("anna", "right")) as server,
        pytest.raises(MailRefused, match="535"),
    ):
        mailer(server, "anna:wrong@").send(MAIL, lambda: handed.append(1))
    assert handed == []


def test_a_user_is_no_trouble_to_a_server_that_asks_for_none() -> None:
    with MailServer() as server:
        mailer(server, "anna:secret@").send(MAIL, lambda: None)
    assert len(server.mails) == 1


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_it_speaks_tls_where_that_is_offered(
    certificate: Path, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with MailServer(tls=certificate, smtps=scheme == "smtps") as server:
        mailer(server, scheme=scheme).send(MAIL, lambda: None)
    assert server.secure == [True]


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_a_server_with_a_strangers_certificate_gets_no_mail(
    certificate: Path, scheme: str, handed: list[int]
) -> None:
    with (
        MailServer(tls=certificate, smtps=scheme == "smtps") as server,
        pytest.raises(MailRefused, match="CERTIFICATE_VERIFY_FAILED"),
    ):
        mailer(server, scheme=scheme).send(MAIL, lambda: handed.append(1))
    assert server.mails == handed == []


def test_no_server_is_trouble_that_may_pass(handed: list[int]) -> None:
    with pytest.raises(OSError, match="refused"):
        Mailer("smtp://127.0.0.1:1", TO).send(MAIL, lambda: handed.append(1))
    assert handed == []


def test_what_goes_wrong_while_it_is_announced_keeps_the_mail_from_being_sent() -> None:
    def fail() -> None:
        raise ConnectionError("the API is away")

    with MailServer() as server, pytest.raises(ConnectionError):
        mailer(server).send(MAIL, fail)
    assert server.attempts == 0


@pytest.fixture
def mute_server() -> Iterator[int]:
    """The port of a server that hangs up where it should say whether it took the mail."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listening.accept()
        with closing(connection), connection.makefile("rb") as lines:
            connection.sendall(b"220 hello\r\n")
            for line in lines:
                if line == b".\r\n":
                    return
                if line.startswith((b"ehlo", b"mail", b"rcpt", b"EHLO", b"MAIL", b"RCPT")):
                    connection.sendall(b"250 fine\r\n")
                elif line.strip().upper() == b"DATA":
                    connection.sendall(b"354 go on\r\n")

    thread = threading.Thread(target=serve)
    thread.start()
    yield listening.getsockname()[1]
    thread.join(10)
    listening.close()


def test_a_connection_that_breaks_after_the_text_leaves_it_uncertain(
    mute_server: int, handed: list[int]
) -> None:
    with pytest.raises(MailUncertain):
        Mailer(f"smtp://127.0.0.1:{mute_server}", TO).send(MAIL, lambda: handed.append(1))
    assert handed == [1]
