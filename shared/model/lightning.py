"""Lightning Out: Salesforce's way to show an org's own components in a page of somebody else's."""

import re
from typing import Final, Self

from shared.errors import InvalidRequestError


class LightningAppId(str):
    """The id of a Lightning Out 2.0 app of an org: always the 18-character form, `1Us…`.

    Which app it is, and whether this user may open it, the org decides.
    """

    __slots__ = ()
    _FORM: Final = re.compile(r"1Us[A-Za-z0-9]{15}", re.ASCII)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises InvalidRequestError."""
        if not cls._FORM.fullmatch(text):
            raise InvalidRequestError
        return cls(text)
