"""A local stack whose timers stand still, so that a test alone says when the worker works."""

from pathlib import Path
from typing import Final

from local import scene
from local.environment import service_environment
from local.stack import Stack
from local.stack_info import StackInfo
from shared.settings import Settings
from tests.settings import settings

_WITHOUT_TIMERS: Final = {"FLOWRUNNER_TIMERS": "off"}


class StillStack(Stack):
    """The stack, and a service in which no timer fires."""

    def _start_service(self, info: StackInfo, file: Path) -> None:
        environment = {
            **service_environment(info),
            **_WITHOUT_TIMERS,
            "FLOWRUNNER_LOCAL_STACK": str(file),
        }
        self._start_python("service", "local.serve", environment=environment)


def settings_on(info: StackInfo) -> Settings:
    """The settings of a worker of this stack. Nobody signs in at it, so it asks Entra nothing."""
    return settings(
        tables_endpoint=info.tables,
        backup_endpoint=info.blobs,
        public_base_url=f"{info.service_https}/api",
        entra_on_behalf_of=False,
    )


def identity_environment(info: StackInfo) -> dict[str, str]:
    """Where the managed identity's library finds its endpoint, as in App Service."""
    return {"IDENTITY_ENDPOINT": info.identity_endpoint, "IDENTITY_HEADER": scene.IDENTITY_HEADER}
