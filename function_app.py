"""The Functions host starts here: read the settings once, wire the service, register it."""

import os

from functions import create_app
from shared.services import build
from shared.settings import Settings

app = create_app(build(Settings.from_environ(os.environ)))
