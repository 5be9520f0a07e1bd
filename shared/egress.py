"""Where the service may connect to: which hosts, and which addresses their names may have.

The adapters check the hosts that they are given; the network asks here once more, before anything
leaves for anywhere. A host is admitted by a fixed pattern or because the settings name it. Nothing
else widens the list. What is in it stands in docs/subprocessors.md, too.
"""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from shared.salesforce_hosts import is_login_host
from shared.settings import Settings
from shared.vault_hosts import is_vault_host

_IDENTITY_PROVIDERS: Final = frozenset({"login.microsoftonline.com", "www.googleapis.com"})

# Addresses of Azure's own for the machines that it runs. The second is a public one by its range.
# https://learn.microsoft.com/azure/virtual-machines/instance-metadata-service
# https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16
_PLATFORM: Final = frozenset({IPv4Address("169.254.169.254"), IPv4Address("168.63.129.16")})

_UNIQUE_LOCAL: Final = IPv6Network("fc00::/7")  # RFC 4193
_NAT64: Final = IPv6Network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address


class _Origin(NamedTuple):
    scheme: str
    host: str
    port: int


class Egress:
    """The hosts that may be connected to; without settings, those that every deployment calls.

    `inside` are endpoints of our own at Azure, which may lie in the virtual network; `outside` are
    others. Both are https addresses, of which the host and the port count.
    """

    def __init__(self, *, inside: Iterable[str] = (), outside: Iterable[str] = ()) -> None:
        self._inside = {_origin(url) for url in inside}
        self._outside = {_origin(url) for url in outside}
        self._identity: _Origin | None = None

    def admit_settings(self, settings: Settings) -> None:
        """Admit the hosts that the settings name as well."""
        self._inside |= {
            _origin(settings.tables_endpoint),
            _origin(settings.backup_endpoint),
            _origin(settings.key_vault_uri),
        }
        if settings.applicationinsights_connection_string is not None:
            self._inside.add(_ingestion(settings.applicationinsights_connection_string))
        if settings.sentry_dsn is not None:
            self._outside.add(_origin(settings.sentry_dsn))

    def admit_identity(self, url: str) -> None:
        """Admit the endpoint of the managed identity: plain HTTP, as it is on this very machine.

        The platform gives its address to the process, and the SDK reads it; only the transports of
        the SDK's credentials call this. An address that is not on this machine is not admitted,
        nor is the metadata service, which the SDK would turn to where the platform gives none.
        """
        origin = _origin(url)
        if origin.scheme == "http" and _is_on_this_machine(origin.host):
            self._identity = origin

    def admits(self, scheme: str, host: str, port: int) -> bool:
        """Whether a connection may be made: the host as it will be looked up, in lower case."""
        wanted = _Origin(scheme, host, port)
        if wanted == self._identity or wanted in self._inside or wanted in self._outside:
            return True
        is_known = host in _IDENTITY_PROVIDERS or is_login_host(host) or is_vault_host(host)
        return scheme == "https" and port == 443 and is_known  # noqa: PLR2004 - of https

    def may_dial(self, host: str, address: str) -> bool:
        """Whether an admitted host may have this address; name servers can be made to lie.

        Without this, whoever answers for one name behind a pattern (a forgotten My Domain, say)
        could lead our requests to the network that we stand in (DNS rebinding).
        """
        if host == address:
            return True  # an endpoint that the settings give as an address: the local stack's
        found = _seen_through(ip_address(address))
        if self._identity is not None and host == self._identity.host:
            return found.is_loopback
        if found in _PLATFORM:
            return False
        return _is_public(found) or (self._may_be_private(host) and _is_private(found))

    def _may_be_private(self, host: str) -> bool:
        """With private endpoints, names of Azure lead to addresses in the virtual network: of our
        own accounts and vaults, and of a customer's vault that is joined to it (bicep/modules).
        Never to this machine, where the platform's own services listen."""
        return is_vault_host(host) or host in {origin.host for origin in self._inside}


def _origin(url: str) -> _Origin:
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return _Origin(parts.scheme, parts.hostname or "", port)


def _ingestion(connection: str) -> _Origin:
    """Where a connection string of App Insights leads; `Settings` has checked that it says so."""
    pairs = (part.partition("=") for part in connection.split(";"))
    return _origin({name.lower(): value for name, _, value in pairs}["ingestionendpoint"])


def _is_on_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return (address.is_loopback or address.is_link_local) and address not in _PLATFORM


def _seen_through(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that an IPv6 address stands for, if it stands for one."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    """Globally reachable by IANA's registries, and one host's: Python calls groups global, and
    parts of the old IPv6 ranges."""
    is_odd = address.is_multicast or address.is_reserved or address.is_unspecified
    is_old = isinstance(address, IPv6Address) and address.is_site_local  # RFC 3879
    return address.is_global and not is_odd and not is_old


def _is_private(address: IPv4Address | IPv6Address) -> bool:
    """Of a private network (RFC 1918, RFC 4193), and not of this machine or this wire."""
    if isinstance(address, IPv6Address):
        return address in _UNIQUE_LOCAL
    is_here = address.is_loopback or address.is_link_local or address.is_unspecified
    return address.is_private and not (is_here or address.is_reserved)
