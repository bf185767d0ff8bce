"""What a browser may do with the lab's answers, and which requests are not taken at all.

Wiring only: docs/security.md says against whom each part stands.
"""

import ipaddress
import re
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from flask import Blueprint, Flask, Response, current_app, request
from flask.sessions import SecureCookieSessionInterface
from flask_wtf.csrf import CSRFError

from api.services import services
from api.web import form_token, login, problems
from api.web.compress import compress
from api.web.limiter import Limiter
from api.web.problems import Refusal
from api.web.wording import gettext
from lab.clock import now_us
from lab.settings import Settings
from lab.status import API_MARK, API_TIME
from lab.token import sign

_HOST: Final = re.compile(r"([a-z0-9_][a-z0-9._-]*|\[[0-9a-f:.]+\])(:[0-9]{1,5})?", re.ASCII)
_ORIGIN: Final = re.compile(r"^https?://")
_DEFAULT_PORT: Final = re.compile(r":(80|443)$")
SAFE_METHODS: Final = ("GET", "HEAD", "OPTIONS")
CALLBACK: Final = "callback.update_task_status"
# Told to anybody who can connect: nothing that is worth a login, or what has a token of its own.
OPEN: Final = frozenset(
    {
        CALLBACK,
        "health.healthz",
        "health.readyz",
        "static",
        "bootstrap.static",
        "images.task_input",
        "images.task_output",
        "workflow_workers.file_of",
        "workflow_workers.paths",
        "workflow_workers.nodes",
        "login.page",
        "login.enter",
        "pages.favicon",
        "pages.switch_language",
        "schedule.due",
        "schedule_workers.clean_up",
        "schedule_workers.health",
        "schedule_workers.report",
        "schedule_workers.report_mail",
        "schedule_workers.report_text",
    }
)
HEADERS: Final = {
    API_MARK: "1",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # `no-referrer` would make the forms' Origin `null`
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


class Sessions(SecureCookieSessionInterface):
    """Flask's signed cookie, which goes to the lab's own prefix, and over https alone wherever it came by https."""

    def get_cookie_path(self, _app: Flask) -> str:
        return request.script_root or "/"

    def get_cookie_secure(self, _app: Flask) -> bool:
        return request.is_secure


def set_up(app: Flask, settings: Settings) -> None:
    """Gives `app` what depends on `settings`."""
    app.config.update(
        SECRET_KEY=settings.secret(),
        # Cookies know no ports: two labs on one host must not take each other's.
        SESSION_COOKIE_NAME=f"lab_{sign(settings.secret(), 'the session cookie')[:8]}",
    )
    app.extensions["lab_submissions"] = Limiter(settings.submissions_per_minute)
    app.extensions["lab_tries"] = Limiter(login.TRIES_PER_MINUTE)


def init_app(app: Flask, apis: tuple[Blueprint, ...]) -> None:
    """Adds all else to `app`; `apis` have no forms, and so no forms' tokens."""
    app.config.update(
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        PERMANENT_SESSION_LIFETIME=timedelta(days=7),
        MAX_FORM_PARTS=100,
        WTF_CSRF_TIME_LIMIT=None,  # as long as the session
    )
    app.session_interface = Sessions()

    @app.before_request
    def refuse_strange_names() -> None:
        """Another site may have its own name lead here, to be taken for this one (DNS rebinding). It has
        no login, though, and cannot do that with an address."""
        if not _HOST.fullmatch(_host()):
            raise Refusal(400, gettext("The request names no valid host."))
        settings = services().settings
        if settings.user is None and request.endpoint not in OPEN and not _is_own_name(_host(), settings):
            raise Refusal(
                403,
                gettext(
                    "The lab does not answer to the name %(name)s. Open it by its address, or set"
                    " LAB_USER and LAB_PASSWORD.",
                    name=_host(),
                ),
            )

    @app.before_request
    def refuse_other_sites() -> None:
        """Another site's page must not act, nor load anything, in the name of anyone who has it open; it may
        lead here by a link. https://web.dev/articles/fetch-metadata"""
        follows_link = request.headers.get("Sec-Fetch-Mode", "navigate") == "navigate"
        if request.endpoint == CALLBACK or (request.method in SAFE_METHODS and follows_link):
            return
        if not _is_own_page():
            raise Refusal(
                403, gettext("This was asked for by another site's page. The lab takes its own only.")
            )

    login.init_app(app, OPEN)

    @app.before_request
    def limit_submissions() -> None:
        if request.method in SAFE_METHODS or request.endpoint in OPEN:
            return
        submissions: Limiter = current_app.extensions["lab_submissions"]
        if wait := submissions.take():
            raise Refusal.too_many(wait)

    form_token.init_app(app, without=apis)
    app.register_error_handler(CSRFError, on_stale_form)

    @app.after_request
    def protect(response: Response) -> Response:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers[API_TIME] = str(now_us())
        return compress(response)


def on_stale_form(_: CSRFError) -> Response:
    """The answer to a form without the token that its page was given."""
    return problems.refuse(Refusal(400, stale_form()))


def stale_form() -> str:
    """What is wrong with such a form, and what to do."""
    return gettext("This page is too old, or its cookie did not come with it. Reload it and send again.")


def _is_own_page() -> bool:
    """Whether a page of the lab, or no page at all, sent this request. Browsers tell by Sec-Fetch-Site
    over https and on localhost, by Origin elsewhere; other programs by neither."""
    if site := request.headers.get("Sec-Fetch-Site"):
        return site in ("same-origin", "none")
    origin = request.headers.get("Origin")
    return origin is None or _ORIGIN.sub("", origin.lower()) in (_host(), _DEFAULT_PORT.sub("", _host()))


def _host() -> str:
    """The host that was asked for, as it was written: Werkzeug has an empty one for what it takes for invalid, such as
    a name with an underscore. Without the header (HTTP/1.0) it is the server's own."""
    return request.headers.get("Host", request.host).lower()


def _is_own_name(host: str, settings: Settings) -> bool:
    """Whether `host` is an address, a name without dots (`localhost`, a container's), or one that the
    settings hold."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
        if "." not in name or name.endswith(".localhost"):
            return True
        if name in (settings.host, settings.publish, urlsplit(settings.api_url).hostname):
            return True
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
