"""Two languages, complete, with their own numbers."""

import configparser
import re
from io import BytesIO
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po
from flask import Flask
from flask.testing import FlaskClient

from api.web import i18n, wording

ROOT = Path(__file__).resolve().parents[4]
METHODS = [
    ("api/**.py", "python"),
    ("transports/methods.py", "python"),
    ("faults/**.py", "python"),
    ("experiments/**.py", "python"),
    ("templates/**.html", "jinja2"),
    ("experiments/templates/**.html", "jinja2"),
    ("faults/templates/**.html", "jinja2"),
]


@pytest.fixture(scope="module")
def russian() -> Catalog:
    """The Russian catalog."""
    text = (ROOT / "translations/ru/LC_MESSAGES/messages.po").read_bytes()
    return read_po(BytesIO(text), locale="ru", abort_invalid=True)


@pytest.fixture(scope="module")
def sources() -> dict[str | tuple[str, ...], set[str]]:
    """Every string that the sources mark for translation, and where it stands."""
    found: dict[str | tuple[str, ...], set[str]] = {}
    for name, _, message, _, _ in extract_from_dir(ROOT, METHODS):
        found.setdefault(message, set()).add(name)
    return found


def translated(catalog: Catalog) -> list[Message]:
    return [message for message in catalog if message.id]


def forms(message: Message) -> list[str]:
    return [message.string] if isinstance(message.string, str) else list(message.string)


def test_babel_looks_where_this_test_looks() -> None:
    parser = configparser.ConfigParser()
    parser.read_string((ROOT / "babel.cfg").read_text())
    assert [tuple(reversed(section.split(": "))) for section in parser.sections()] == METHODS


def test_every_string_of_the_sources_is_in_the_russian_catalog(
    russian: Catalog, sources: dict[str | tuple[str, ...], set[str]]
) -> None:
    known = {message.id for message in translated(russian)}
    assert {text: places for text, places in sources.items() if text not in known} == {}


def test_the_russian_catalog_has_nothing_that_the_sources_do_not_say(
    russian: Catalog, sources: dict[str | tuple[str, ...], set[str]]
) -> None:
    assert [message.id for message in translated(russian) if message.id not in sources] == []
    assert not russian.obsolete


def test_every_russian_string_is_there_and_none_is_a_guess(russian: Catalog) -> None:
    assert [message.id for message in translated(russian) if message.fuzzy or not all(forms(message))] == []


def test_translations_keep_the_places_to_fill(russian: Catalog) -> None:
    place = re.compile(r"%\(\w+\)s|\{\w+\}")
    for message in translated(russian):
        wanted = set(place.findall(message.id if isinstance(message.id, str) else message.id[1]))
        for form in forms(message):
            assert set(place.findall(form)) <= wanted, message.id
        assert set(place.findall(forms(message)[-1])) == wanted, message.id


@pytest.mark.parametrize(
    ("n", "text"),
    [
        (1, "его ждёт 1 задача"),
        (2, "его ждут 2 задачи"),
        (5, "его ждут 5 задач"),
        (11, "его ждут 11 задач"),
        (21, "его ждёт 21 задача"),
        (12_003, "его ждут 12\N{NO-BREAK SPACE}003 задачи"),
    ],
)
def test_russian_counts_in_three_forms(app: Flask, n: int, text: str) -> None:
    with app.test_request_context(headers={"Accept-Language": "ru"}):
        assert wording.waiting(n) == text


@pytest.mark.parametrize(
    ("language", "value", "text"),
    [
        ("en", 0.0, "0_ms"),
        ("en", 0.0124, "12_ms"),
        ("en", 0.9994, "999_ms"),
        ("en", 0.9996, "1.0_s"),
        ("en", 5.04, "5.0_s"),
        ("en", 3600.0, "3,600.0_s"),
        ("en", None, "–"),
        ("ru", 0.0124, "12_мс"),
        ("ru", 5.04, "5,0_с"),
        ("ru", 3600.0, "3_600,0_с"),
    ],
)
def test_durations_are_written_as_the_language_has_them(
    app: Flask, language: str, value: float | None, text: str
) -> None:
    with app.test_request_context(headers={"Accept-Language": language}):
        assert i18n.duration(value) == text.replace("_", "\N{NO-BREAK SPACE}")


def test_seconds_asked_for_keep_their_decimals_and_measured_ones_have_three(app: Flask) -> None:
    space = "\N{NO-BREAK SPACE}"
    with app.test_request_context(headers={"Accept-Language": "ru"}):
        assert i18n.seconds(5.0) == f"5{space}с"
        assert i18n.seconds(0.25) == f"0,25{space}с"
        assert i18n.exact(5.0124) == f"5,012{space}с"
        assert i18n.seconds(None) == i18n.exact(None) == "–"


def test_times_are_written_in_utc(app: Flask) -> None:
    at = "2026-01-31T07:08:09.012345Z"
    with app.test_request_context(headers={"Accept-Language": "en"}):
        assert i18n.moment(at) == "31 Jan 2026, 07:08:09"
        assert i18n.clock(at) == "07:08:09.012"
    with app.test_request_context(headers={"Accept-Language": "ru"}):
        assert i18n.moment(at) == "31 янв. 2026, 07:08:09"
        assert i18n.clock(at) == "07:08:09,012"


@pytest.mark.parametrize(
    ("cookie", "wish", "language"),
    [
        (None, None, "en"),
        (None, "ru-RU,ru;q=0.9,en;q=0.8", "ru"),
        (None, "de, en;q=0.5, ru;q=0.4", "en"),
        (None, "fr", "en"),
        ("ru", "en", "ru"),
        ("en", "ru", "en"),
        ("xx", "ru", "ru"),
        ("../../ru", None, "en"),
    ],
)
def test_the_language_is_the_cookies_then_the_browsers_then_english(
    client: FlaskClient, cookie: str | None, wish: str | None, language: str
) -> None:
    if cookie is not None:
        client.set_cookie(i18n.COOKIE, cookie)
    answer = client.get("/", headers={"Accept-Language": wish} if wish else {})
    assert f'<html lang="{language}">' in answer.text
    assert answer.headers["Content-Language"] == language
    assert {"accept-language", "cookie"} <= {name.lower() for name in answer.vary}


def test_the_forms_for_scripts_go_by_the_names_of_plural_rules(app: Flask) -> None:
    with app.test_request_context(headers={"Accept-Language": "ru"}):
        assert wording.for_scripts()["new"] == {
            "one": "{n} новая задача",
            "few": "{n} новые задачи",
            "many": "{n} новых задач",
            "other": "{n} новых задач",
        }
