"""The certificate authority of one local stack: made at start, trusted by nothing else.

Its certificate is `authority.pem` in the stack's data folder, for whoever wants to trust it. Its
private key and those of the certificates it issues stay in `private/`, readable by the owner only,
and go when the stack stops.
"""

import shutil
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import trustme

_ORGANIZATION: Final = "FlowRunner local stack"
_OWNER_ONLY: Final = 0o700


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """A server certificate with its chain, and its private key; both PEM files."""

    chain: Path
    key: Path

    def server_context(self) -> ssl.SSLContext:
        """TLS 1.2 or newer, as every counterparty of the service asks for."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.chain, self.key)
        return context


class Authority:
    """Issues server certificates for names and for 127.0.0.1.

    `create` makes a new one in a data folder; `load` gives another process of the same stack the
    same one.
    """

    def __init__(self, data: Path, ca: trustme.CA) -> None:
        self.certificate = self.certificate_in(data)
        self._private = data / "private"
        self._ca = ca

    @staticmethod
    def certificate_in(data: Path) -> Path:
        """Where the certificate is, or will be."""
        return data / "authority.pem"

    @classmethod
    def create(cls, data: Path) -> Self:
        """Make an authority in `data`; one from an earlier start is replaced."""
        private = data / "private"
        shutil.rmtree(private, ignore_errors=True)
        private.mkdir(mode=_OWNER_ONLY, parents=True)
        ca = trustme.CA(organization_name=_ORGANIZATION)
        authority = cls(data, ca)
        ca.cert_pem.write_to_path(authority.certificate)
        ca.private_key_pem.write_to_path(private / "authority.key")
        return authority

    @classmethod
    def load(cls, data: Path) -> Self:
        """The authority that `create` made in `data`. Raises OSError when there is none."""
        certificate = cls.certificate_in(data).read_bytes()
        key = (data / "private" / "authority.key").read_bytes()
        return cls(data, trustme.CA.from_pem(certificate, key))

    def issue(self, name: str, *hosts: str) -> Leaf:
        """A certificate for `hosts` (`*.` stands for one label) and the address 127.0.0.1.

        `name` names the files.
        """
        certificate = self._ca.issue_cert(
            *dict.fromkeys((*hosts, "127.0.0.1")), organization_name=_ORGANIZATION
        )
        leaf = Leaf(chain=self._private / f"{name}.pem", key=self._private / f"{name}.key")
        certificate.private_key_pem.write_to_path(leaf.key)
        leaf.chain.write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
        return leaf

    def forget_private_keys(self) -> None:
        """After the stack has stopped: nobody can issue certificates in its name any more."""
        shutil.rmtree(self._private, ignore_errors=True)
