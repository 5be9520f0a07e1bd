"""Identity providers that know a few people, by tokens that are their names."""

from shared.errors import NotAuthenticatedError
from shared.model import Identity, Provider
from shared.secret import Secret
from tests.fakes.faults import Faults

CONTOSO_DIRECTORY = "7c1e5b9a-3f64-4d0e-9b7a-2f8d61c0a4e3"
FABRIKAM_DIRECTORY = "2f4a8c60-91d3-4e7b-a5c8-d06b3e1f7924"
GOOGLE_DIRECTORY = "fabrikam.example.com"


def microsoft_user(number: int, directory: str, *, is_admin: bool = False) -> Identity:
    subject = f"0d6f3b1e-5c27-4a98-b3e4-{number:012d}"
    return Identity(provider="microsoft", directory=directory, subject=subject, is_admin=is_admin)


def google_user(number: int, directory: str, *, is_admin: bool = False) -> Identity:
    subject = f"1098{number:017d}"
    return Identity(provider="google", directory=directory, subject=subject, is_admin=is_admin)


class FakeVerifier:
    """Satisfies `ports.IdentityVerifier`. Alice, Bob and Carol (an administrator) work at contoso,
    Mallory in another Microsoft tenant, Dave and Grace (an administrator) in a Google Workspace.
    """

    def __init__(self) -> None:
        self.faults = Faults()
        self.people = {
            "alice": microsoft_user(1, CONTOSO_DIRECTORY),
            "bob": microsoft_user(2, CONTOSO_DIRECTORY),
            "carol": microsoft_user(3, CONTOSO_DIRECTORY, is_admin=True),
            "mallory": microsoft_user(4, FABRIKAM_DIRECTORY),
            "dave": google_user(1, GOOGLE_DIRECTORY),
            "grace": google_user(2, GOOGLE_DIRECTORY, is_admin=True),
        }

    async def verify(self, provider: Provider, unverified_token: Secret) -> Identity:
        async with self.faults.call("verify"):
            identity = self.people.get(unverified_token.reveal())
            if identity is None or identity.provider != provider:
                raise NotAuthenticatedError
            return identity


class FakeOnBehalfOf:
    """Satisfies `ports.OnBehalfOf`: Entra ID agrees, unless a test plans otherwise."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.confirmed: list[Identity] = []

    async def confirm(self, identity: Identity, token: Secret) -> None:
        async with self.faults.call("confirm"):
            self.confirmed.append(identity)
