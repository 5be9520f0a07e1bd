"""`python -m tools.suspend_tenant`: serve a tenant no more, at once; or, with `--resume`, again.

Nobody of the tenant signs in any more, and every session is over, on every instance within ten
seconds. Nothing is deleted. Reads the settings from the environment as the service does. Prints
what it did, and exits 0 if the tenant now is as asked, else 1.
"""

import argparse
import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from shared.errors import FlowRunnerError
from shared.model import Identity, TenantId, TenantStatus
from shared.services import Services
from tools.operator_command import closing, on_services, tenant

_DONE: Final = {
    TenantStatus.DISABLED: "suspended; every session is over within ten seconds",
    TenantStatus.ACTIVE: "resumed; its users may sign in",
}
_AS_BEFORE: Final = {
    TenantStatus.DISABLED: "was suspended already; nothing changed",
    TenantStatus.ACTIVE: "was not suspended; nothing changed",
}
_WHY_NOT: Final = {
    "not_found": "there is no such tenant: to keep one out, leave it out of ALLOWED_TENANTS",
    "deletion_in_progress": "it is being deleted; it may come back, if ALLOWED_TENANTS has it",
}
_DOMAIN: Final = re.compile(r"g:([a-z0-9-]+(?:\.[a-z0-9-]+)+)", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    tenant: TenantId
    status: TenantStatus


def options_from(arguments: Sequence[str]) -> Options:
    """Ends the program with a usage message if the arguments cannot be understood."""
    parser = argparse.ArgumentParser(prog="suspend_tenant", description=__doc__, allow_abbrev=False)
    parser.add_argument("--tenant", required=True, type=_tenant, metavar="ms-TID|g:DOMAIN|ID")
    parser.add_argument("--resume", action="store_true", help="serve it again")
    given = parser.parse_args(arguments)
    status = TenantStatus.ACTIVE if given.resume else TenantStatus.DISABLED
    return Options(tenant=given.tenant, status=status)


async def suspend(services: Services, options: Options) -> int:
    try:
        changed = await services.suspend_tenant(options.tenant, options.status)
    except FlowRunnerError as exc:
        print(f"{options.tenant} FAILED {exc.code}: {_WHY_NOT.get(exc.code, 'try again')}")
        return 1
    print(f"{options.tenant} {(_DONE if changed else _AS_BEFORE)[options.status]}")
    return 0


async def run(services: Services, options: Options) -> int:
    """The whole command, on services that are closed at its end."""
    return await closing(services, suspend(services, options))


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    options = options_from(arguments)
    return on_services(lambda services: run(services, options), environment)


def _tenant(text: str) -> TenantId:
    """As in ALLOWED_TENANTS (`ms-<tid>`, `g:<domain>`), or the id as it is stored and logged."""
    domain = _DOMAIN.fullmatch(text)
    if domain is not None:
        google = Identity(provider="google", directory=domain[1], subject="", is_admin=False)
        return google.tenant
    return tenant(text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
