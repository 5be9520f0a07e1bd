"""Which hosts are Azure Key Vault's, and what the identifier of a key there looks like.

As with `salesforce_hosts`, the whole raw text is matched against a strict ASCII pattern; nothing is
parsed first. It may be anybody's vault: a tenant can bring a key of its own. Source of the forms:
https://learn.microsoft.com/azure/key-vault/general/about-keys-secrets-certificates
"""

import re
from typing import Final

_HOST: Final = r"(?=[a-z0-9-]{3,24}\.)[a-z](?:-?[a-z0-9])+\.vault\.azure\.net"
_VAULT: Final = re.compile(_HOST, re.ASCII)
_KEY_ID: Final = re.compile(
    rf"https://{_HOST}/keys/[0-9A-Za-z-]{{1,127}}(?:/[0-9a-f]{{32}})?", re.ASCII
)


def is_vault_host(text: str) -> bool:
    """Whether this is the host of a vault, in lower case."""
    return _VAULT.fullmatch(text) is not None


def is_vault_key(text: str) -> bool:
    """Whether this is the identifier of a key in a vault: https, no port, its version or none.

    Our own identity is sent to such an address: the whole of it, and nothing else, may be chosen.
    """
    return _KEY_ID.fullmatch(text) is not None
