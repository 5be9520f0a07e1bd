"""`python -m tools.rotate_data_key`: a new data key for a tenant, or for all, now.

From then on it seals what is written; the service's hourly run seals anew what is there, retires
the older key, and destroys it when no backup needs it. Reads the settings from the environment as
the service does; docs/runbooks/key-rotation.md says when. Exits 0 if every tenant that was asked
for has a new key, else 1.
"""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from shared.errors import FlowRunnerError
from shared.model import TenantId
from shared.services import Services
from tools.operator_command import closing, on_services, tenant_or_all

_WHY_NOT: Final = {
    "not_found": "there is no such tenant",
    "deletion_in_progress": "it is being deleted",
    "settings_changed": "its keys are being changed at this moment, or the clock is wrong here",
    "key_vault_failed": "the key that wraps its data keys does not serve; nothing was changed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """`tenant` None: all."""

    tenant: TenantId | None


def options_from(arguments: Sequence[str]) -> Options:
    """Ends the program with a usage message if the arguments cannot be understood."""
    parser = argparse.ArgumentParser(
        prog="rotate_data_key", description=__doc__, allow_abbrev=False
    )
    parser.add_argument("--tenant", required=True, type=tenant_or_all, metavar="ID|all")
    return Options(tenant=parser.parse_args(arguments).tenant)


async def rotate(services: Services, options: Options) -> int:
    """One tenant after the other; one that fails does not stop the others."""
    rotating = services.rotate_keys
    try:
        tenants = [options.tenant] if options.tenant else await rotating.tenants.ids()
    except FlowRunnerError as exc:
        print(f"FAILED {exc.code}: the tenants could not be listed")
        return 1
    failed = 0
    for tenant in tenants:
        try:
            print(f"{tenant} seals by data key v{await rotating.add_key(tenant)}")
        except FlowRunnerError as exc:
            failed += 1
            print(f"{tenant} FAILED {exc.code}: {_WHY_NOT.get(exc.code, 'try again')}")
    print(f"{len(tenants)} tenants, {failed} failed")
    return 1 if failed else 0


async def run(services: Services, options: Options) -> int:
    """The whole command, on services that are closed at its end."""
    return await closing(services, rotate(services, options))


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    options = options_from(arguments)
    return on_services(lambda services: run(services, options), environment)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
