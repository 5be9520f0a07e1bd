"""`python -m tools.restore`: put backups back into empty tables, after a loss.

Reads the settings from the environment as the service does; docs/runbooks/restore.md says when and
how. Prints what came back, by tenant and table. Exits 0 if every tenant was restored, and 1 if one
was refused or there was none.
"""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from shared.errors import FlowRunnerError
from shared.model import TenantId
from shared.model.backups import BACKED_UP
from shared.services import Services
from shared.usecases.read_backup import RestoreRefusedError
from shared.usecases.restore_backup import Restored
from tools.operator_command import closing, on_services, tenant_or_all

_LINE: Final = "{:<40} {:<10} {:<24} {:>8} {:>8} {:>9} {:>9}"
_HEAD: Final = ("tenant", "date", "outcome", *BACKED_UP, "held back")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """`tenant` None: all; `day` None: the newest."""

    tenant: TenantId | None
    day: date | None
    dry_run: bool


def options_from(arguments: Sequence[str]) -> Options:
    """Ends the program with a usage message if the arguments cannot be understood."""
    parser = argparse.ArgumentParser(prog="restore", description=__doc__)
    parser.add_argument("--tenant", required=True, type=tenant_or_all, metavar="ID|all")
    parser.add_argument("--date", required=True, type=_day, metavar="YYYY-MM-DD|latest")
    parser.add_argument("--dry-run", action="store_true", help="check everything, write nothing")
    given = parser.parse_args(arguments)
    return Options(tenant=given.tenant, day=given.date, dry_run=given.dry_run)


async def restore(services: Services, options: Options) -> int:
    """One tenant after the other; one that is refused does not stop the others."""
    restoring = services.restore_backup
    try:
        tenants = [options.tenant] if options.tenant else await restoring.tenants()
    except FlowRunnerError as exc:
        print(f"FAILED {exc.code}: the backups could not be listed")
        return 1
    print(_LINE.format(*_HEAD))
    refused = 0
    for tenant in tenants:
        try:
            done = await restoring(tenant, options.day, dry_run=options.dry_run)
            print(_line(done))
        except RestoreRefusedError as exc:
            refused += 1
            print(_LINE.format(tenant, "-", f"REFUSED {exc.reason.value}", *"----"))
        except FlowRunnerError as exc:
            refused += 1
            print(_LINE.format(tenant, "-", f"FAILED {exc.code}", *"----"))
    print(f"{len(tenants)} tenants, {refused} refused or failed")
    if not tenants:
        print("nothing to restore: no tenant in the backup account")
    return 1 if refused or not tenants else 0


async def run(services: Services, options: Options) -> int:
    """The whole command, on services that are closed at its end."""
    return await closing(services, restore(services, options))


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    options = options_from(arguments)
    return on_services(lambda services: run(services, options), environment)


def _line(done: Restored) -> str:
    rows = [done.rows.get(table, 0) for table in BACKED_UP]
    held_back = sum(done.held_back.values())
    return _LINE.format(done.tenant, str(done.day or "-"), done.outcome.value, *rows, held_back)


def _day(text: str) -> date | None:
    try:
        return None if text == "latest" else date.fromisoformat(text)
    except ValueError as exc:
        raise argparse.ArgumentTypeError(f"{text} is no date") from exc


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
