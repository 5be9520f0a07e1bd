"""The state of a deletion, for whoever holds its status token: the account may be gone."""

import hmac
from dataclasses import dataclass

from shared.errors import NotFoundError
from shared.model import Deletion, DeletionState, OneTimeCode
from shared.ports import DeletionStore


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadDeletion:
    deletions: DeletionStore

    async def __call__(self, token: OneTimeCode, deletion_id: str) -> Deletion:
        """Raises NotFoundError: none, or another's."""
        deletion = await self.deletions.load(token.tenant, deletion_id)
        digest = "" if deletion is None else deletion.status_digest
        if deletion is None or not hmac.compare_digest(token.digest, digest):
            raise NotFoundError
        return deletion

    async def receipt(self, token: OneTimeCode, deletion_id: str) -> str:
        """Raises NotFoundError until there is one."""
        deletion = await self(token, deletion_id)
        if deletion.state is not DeletionState.RECEIPTED or deletion.receipt is None:
            raise NotFoundError
        return deletion.receipt
