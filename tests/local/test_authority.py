"""The stack's certificate authority: right names only, and keys for nobody else."""

import socket
import ssl
import threading
from pathlib import Path

import pytest

from local.authority import Authority, Leaf


def handshake(leaf: Leaf, client: ssl.SSLContext, name: str) -> str | None:
    """The TLS version that client and server agree on; raises what the client raises."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=_serve_once, args=(listener, leaf.server_context()))
        server.start()
        try:
            address = listener.getsockname()
            with (
                socket.create_connection(address, timeout=5) as plain,
                client.wrap_socket(plain, server_hostname=name) as secure,
            ):
                return secure.version()
        finally:
            server.join(10)


def _serve_once(listener: socket.socket, context: ssl.SSLContext) -> None:
    listener.settimeout(5)
    plain, _ = listener.accept()
    try:
        context.wrap_socket(plain, server_side=True).close()
    except (ssl.SSLError, OSError):
        plain.close()


def trusting(authority: Authority) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=authority.certificate)


@pytest.mark.parametrize("name", ["login.example.com", "contoso.my.example.com", "127.0.0.1"])
def test_a_certificate_holds_for_its_names_and_this_machine(tmp_path: Path, name: str) -> None:
    authority = Authority.create(tmp_path)
    leaf = authority.issue("leaf", "login.example.com", "*.my.example.com")

    assert handshake(leaf, trusting(authority), name) in {"TLSv1.2", "TLSv1.3"}


@pytest.mark.parametrize("name", ["evil.example.com", "a.b.my.example.com", "my.example.com"])
def test_a_certificate_holds_for_no_other_name(tmp_path: Path, name: str) -> None:
    authority = Authority.create(tmp_path)
    leaf = authority.issue("leaf", "login.example.com", "*.my.example.com")

    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        handshake(leaf, trusting(authority), name)


def test_nobody_trusts_the_authority_of_another_stack(tmp_path: Path) -> None:
    ours, theirs = Authority.create(tmp_path / "ours"), Authority.create(tmp_path / "theirs")

    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(ours.issue("leaf"), trusting(theirs), "127.0.0.1")


def test_old_versions_of_tls_are_refused(tmp_path: Path) -> None:
    assert (
        Authority.create(tmp_path).issue("leaf").server_context().minimum_version
        is ssl.TLSVersion.TLSv1_2
    )


def test_another_process_of_the_stack_issues_in_the_same_name(tmp_path: Path) -> None:
    authority = Authority.create(tmp_path)
    leaf = Authority.load(tmp_path).issue("leaf", "login.example.com")

    assert handshake(leaf, trusting(authority), "login.example.com") is not None


def test_private_keys_are_for_the_owner_and_go_at_the_end(tmp_path: Path) -> None:
    authority = Authority.create(tmp_path)
    authority.issue("leaf")
    private = tmp_path / "private"

    assert private.stat().st_mode & 0o777 == 0o700
    assert "PRIVATE" not in authority.certificate.read_text()
    authority.forget_private_keys()
    assert not private.exists()
    with pytest.raises(OSError, match=r"authority\.key"):
        Authority.load(tmp_path)
