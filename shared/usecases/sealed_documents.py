"""The JSON documents of a backup, each under a seal that only the tenant's own key makes."""

from dataclasses import dataclass

from shared.backup_format import Content, digest_of, parted_document, sealed_document
from shared.errors import SealBrokenError
from shared.model import Place
from shared.ports import Vault


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedDocuments:
    vault: Vault

    async def sealed(self, place: Place, content: Content) -> bytes:
        return sealed_document(content, await self.vault.seal(place, digest_of(content)))

    async def opened(self, place: Place, data: bytes) -> Content:
        """The content, if its seal is whole. Raises UnreadableError, SealBrokenError."""
        content, seal = parted_document(data)
        if await self.vault.open(place, seal) != digest_of(content):
            raise SealBrokenError
        return content
