"""What the commands for operators have in common: a tenant by its name, settings as the service
reads them, and services that are closed at the end."""

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

from shared.errors import InvalidRequestError
from shared.model import TenantId
from shared.services import Services, build
from shared.settings import Settings, SettingsError


def tenant(text: str) -> TenantId:
    """A tenant's id, as it is stored and logged, from the command line."""
    try:
        return TenantId.parse(text)
    except InvalidRequestError as exc:
        raise argparse.ArgumentTypeError(f"{text} is no tenant") from exc


def tenant_or_all(text: str) -> TenantId | None:
    """The same; None for `all`."""
    return None if text == "all" else tenant(text)


async def closing(services: Services, command: Awaitable[int]) -> int:
    """The command's exit code; whatever comes of it, the services are closed then."""
    try:
        return await command
    finally:
        await services.close()


def on_services(
    run: Callable[[Services], Coroutine[Any, Any, int]], environment: Mapping[str, str]
) -> int:
    """Run a command on services with the environment's settings; 1 if these are no good, and what
    is wrong with them is printed."""
    try:
        settings = Settings.from_environ(environment)
    except SettingsError as exc:
        print(exc, file=sys.stderr)
        return 1
    return asyncio.run(run(build(settings)))
