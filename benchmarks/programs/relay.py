"""One API process's relay without the API: publishes what waits in the outbox at each line of its input."""

import sys
import time

from api import create_app
from api.services import Services
from lab.settings import Settings

parts: Services = create_app(Settings.from_env()).extensions["lab"]
parts.relay.start()
for line in sys.stdin:
    print(time.monotonic(), flush=True)
    parts.relay.wake(line.strip())
parts.stop()
