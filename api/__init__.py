"""The Flask application: pages, JSON API, status callback, events."""

from typing import IO, Any, NoReturn

import pydantic_core
from flask import Request, current_app, request
from flask.json.provider import DefaultJSONProvider
from flask_openapi3 import Info, OpenAPI
from werkzeug.exceptions import BadRequest, UnsupportedMediaType
from werkzeug.middleware.proxy_fix import ProxyFix

from api.experiments import reports as experiment_reports
from api.faults import reports as fault_reports
from api.health import routes as health_routes
from api.images import compat, group_routes
from api.images import routes as image_routes
from api.letters import routes as letter_routes
from api.schedule import routes as schedule_routes
from api.schedule import worker_routes as schedule_workers
from api.services import Services
from api.side import routes as side_routes
from api.tasks import callback, celery_result, compare, many, pages
from api.tasks import routes as task_routes
from api.web import docs, events, i18n, problems, security
from api.workflows import routes as workflow_routes
from api.workflows import worker_routes as workflow_workers
from lab.settings import Settings

MOST_BODY_BYTES = 2 * 1024 * 1024


class StrictJSON(DefaultJSONProvider):
    """Reads JSON strictly by RFC 8259: no NaN, no lone surrogates, bounded nesting."""

    sort_keys = False

    def loads(self, s: str | bytes, **_: Any) -> Any:
        return pydantic_core.from_json(s, allow_inf_nan=False)


class LabRequest(Request):
    """Says what is wrong with a body that is no JSON, and keeps uploaded files off the memory."""

    def _get_file_stream(self, *_: Any, **__: Any) -> IO[bytes]:
        parts: Services = current_app.extensions["lab"]
        return parts.image_files.incoming()

    def on_json_loading_failed(self, e: ValueError | None) -> NoReturn:
        if e is None:
            raise UnsupportedMediaType("the body's Content-Type must be application/json")
        raise BadRequest(f"the body is not JSON: {e}")


class LabAPI(OpenAPI):
    """flask-openapi3's Flask, with the two classes above."""

    request_class = LabRequest
    json_provider_class = StrictJSON


def create_app(settings: Settings) -> LabAPI:
    """The application. Nothing connects and no thread starts: `Services.start` does that, once the
    process is the one that serves."""
    app = _create_routes()
    set_up(app, settings)
    if n := settings.proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=n, x_proto=n, x_host=n, x_prefix=n)  # type: ignore[method-assign]
    return app


def set_up(app: LabAPI, settings: Settings) -> None:
    """Gives `app` all that depends on `settings` but for the proxies before it; may be done again."""
    app.extensions["lab"] = Services(settings)
    security.set_up(app, settings)


def _create_routes() -> LabAPI:
    app = LabAPI(
        "api",
        root_path=str(docs.ROOT),
        template_folder="templates",
        static_folder="static",
        security_schemes={},
        info=Info(title="Transport Lab", version="0.1.0"),
        doc_prefix="",
        doc_ui=False,
        validation_error_callback=problems.on_validation_error,
    )
    app.config.update(MAX_CONTENT_LENGTH=MOST_BODY_BYTES)
    problems.init_app(app)
    i18n.init_app(app)
    apis = (
        task_routes.tasks, many.many, compare.comparison, celery_result.task_result,
        image_routes.images, group_routes.groups, compat.seed,
        letter_routes.letters, callback.callback, health_routes.health,
        schedule_routes.schedule, schedule_workers.workers,
        workflow_routes.workflows, workflow_workers.workers,
        side_routes.side, experiment_reports.experiments, fault_reports.faults,
    )  # fmt: skip
    security.init_app(app, apis)
    for blueprint in apis:
        app.register_api(blueprint)
    for page in (pages.pages, events.events, docs.docs):
        app.register_blueprint(page)
    docs.init_app(app)

    @app.before_request
    def read_json() -> None:
        """Says what is wrong with a body before its fields are looked at."""
        if request.routing_exception is not None:
            return  # 404 and 405 are the answers, whatever the body is
        is_json_route = request.method == "POST" and request.path.startswith("/api/")
        if is_json_route and not request.content_length and request.view_args:
            return  # an action on one thing, such as a cancellation, needs no body
        if request.endpoint == "images.upload":
            return  # takes files
        if is_json_route and not isinstance(request.get_json(), dict):
            raise BadRequest("the body must be a JSON object")

    return app
