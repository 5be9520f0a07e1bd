"""The org that calls of this folder go to, and a user's access to it."""

from typing import Final

from shared.model import Access, OrgId
from shared.secret import Secret

HOST: Final = "contoso.my.salesforce.com"
TOKEN: Final = "00D5g00000CONTO!canary.of_the_token"
ACCESS: Final = Access(
    org=OrgId.parse("00D5g00000CONTOEA5"),
    instance_host=HOST,
    token=Secret(TOKEN),
    generation=1,
)
