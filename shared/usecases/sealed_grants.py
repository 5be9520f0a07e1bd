"""Grants at rest: written as JSON, sealed for the place they are kept at, opened only there."""

import json
from dataclasses import dataclass

from shared.errors import InvalidRequestError, SealBrokenError
from shared.model import Grant, OrgId, Place
from shared.ports import Vault
from shared.secret import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedGrants:
    vault: Vault

    async def seal(self, place: Place, grant: Grant) -> bytes:
        plain = json.dumps(
            {
                "org": grant.org,
                "salesforce_user": grant.salesforce_user,
                "instance_host": grant.instance_host,
                "login_host": grant.login_host,
                "refresh_token": grant.refresh_token.reveal(),
                "access_token": grant.access_token.reveal(),
            }
        )
        return await self.vault.seal(place, plain.encode())

    async def open(self, place: Place, sealed: bytes) -> Grant:
        """Raises SealBrokenError (it does not open here, or is no grant), KeyVaultFailedError."""
        try:
            plain = json.loads(await self.vault.open(place, sealed))
            return Grant(
                org=OrgId.parse(plain["org"]),
                salesforce_user=plain["salesforce_user"],
                instance_host=plain["instance_host"],
                login_host=plain["login_host"],
                refresh_token=Secret(plain["refresh_token"]),
                access_token=Secret(plain["access_token"]),
            )
        except (KeyError, TypeError, ValueError, InvalidRequestError) as exc:
            raise SealBrokenError from exc
