"""gunicorn's target. Each worker process imports it after its fork, and so has threads of its own."""

from api import create_app
from api.services import Services
from lab.settings import Settings

app = create_app(Settings.from_env().private())
parts: Services = app.extensions["lab"]
parts.start()
