import subprocess
from collections.abc import Callable
from pathlib import Path

from api import LabAPI
from api.web.commands import prelude
from api.web.docs import ROOT


def test_the_line_before_a_command_leads_to_this_labs_folder_python_and_addresses(
    make_app: Callable[..., LabAPI], tmp_path: Path
) -> None:
    var = tmp_path / "a lab's"
    broker, api = "amqp://student:qwerty@localhost:5673/", "http://localhost:8099/update_task_status_api/"
    app = make_app(rmq_url=broker, celery_broker_url=broker, api_url=api, var=var)
    with app.app_context():
        line = prelude()
    shown = 'printf "%s\\n" "$PWD" "$RMQ_URL" "$API_URL" "$LAB_VAR" "$CELERY_BROKER_URL"; command -v celery'
    told = subprocess.run(
        ["sh", "-c", f"{line}\n{shown}"], capture_output=True, text=True, check=True, cwd="/"
    )
    assert told.stdout.splitlines() == [
        str(ROOT),
        broker,
        api,
        str(var),
        "",
        f"{ROOT}/.venv/bin/celery",
    ]


def test_no_page_shows_a_password_that_is_not_public(make_app: Callable[..., LabAPI]) -> None:
    with make_app(rmq_url="amqp://me:hidden@localhost/").app_context():
        assert "amqp://me:PASSWORD@localhost" in prelude()
        assert "hidden" not in prelude()
