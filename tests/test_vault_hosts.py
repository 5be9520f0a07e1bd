"""Which hosts and keys are Key Vault's, and which only look so.

What a tenant may send as its key is in `test_tenant_settings.py`, what is connected to in
`attacks/test_egress.py`: both ask here, and nothing else does.
"""

import ast
from pathlib import Path
from typing import Final

import pytest

from shared.vault_hosts import is_vault_host, is_vault_key

ROOT: Final = Path(__file__).parents[1]
VERSION: Final = "0123456789abcdef" * 2
VAULTS: Final = [
    pytest.param("abc.vault.azure.net", id="the-shortest"),
    pytest.param(f"a{'b' * 23}.vault.azure.net", id="the-longest"),
    pytest.param("a-1.vault.azure.net", id="hyphen-and-digit"),
]
FOREIGN: Final = [
    pytest.param("", id="nothing"),
    pytest.param("vault.azure.net", id="the-bare-suffix"),
    pytest.param(".vault.azure.net", id="an-empty-label"),
    pytest.param("ab.vault.azure.net", id="too-short"),
    pytest.param(f"a{'b' * 24}.vault.azure.net", id="too-long"),
    pytest.param("1abc.vault.azure.net", id="a-digit-in-front"),
    pytest.param("-abc.vault.azure.net", id="a-hyphen-in-front"),
    pytest.param("abc-.vault.azure.net", id="a-hyphen-at-the-end"),
    pytest.param("a--b.vault.azure.net", id="two-hyphens"),
    pytest.param("a_b.vault.azure.net", id="an-underscore"),
    pytest.param("abc.def.vault.azure.net", id="two-labels"),
    pytest.param("Abc.vault.azure.net", id="a-capital"),
    pytest.param("abc.vault.azure.net.", id="a-trailing-dot"),
    pytest.param("abc.vault.azure.net.evil.example.com", id="a-suffix-that-goes-on"),
    pytest.param("abcvault.azure.net", id="no-dot-before-vault"),
    pytest.param("abc.vault-azure.net", id="a-hyphen-for-a-dot"),
    pytest.param("abc.vault.azure.cn", id="another-cloud"),
    pytest.param("abc.managedhsm.azure.net", id="a-managed-hsm"),
    pytest.param("abc.vault.azure.net:443", id="a-port"),
    pytest.param("user@abc.vault.azure.net", id="user-information"),
    pytest.param("abc.vault.azure.net\n", id="a-line-break"),
    pytest.param("ab\u0441.vault.azure.net", id="a-letter-that-looks-like-another"),
    pytest.param("abc\uff0evault.azure.net", id="a-full-width-dot"),
]


@pytest.mark.parametrize("host", VAULTS)
def test_a_vault_is_one_and_its_keys_are_keys(host: str) -> None:
    assert is_vault_host(host)
    assert is_vault_key(f"https://{host}/keys/ours")
    assert is_vault_key(f"https://{host}/keys/ours/{VERSION}")


@pytest.mark.parametrize("host", FOREIGN)
def test_what_only_looks_like_a_vault_is_none_and_has_no_keys(host: str) -> None:
    assert not is_vault_host(host)
    assert not is_vault_key(f"https://{host}/keys/ours")


@pytest.mark.parametrize(
    "key",
    [
        "abc.vault.azure.net/keys/ours",
        "http://abc.vault.azure.net/keys/ours",
        "https://abc.vault.azure.net",
        "https://abc.vault.azure.net/keys/",
        "https://abc.vault.azure.net/secrets/ours",
        "https://abc.vault.azure.net/keys/ours/",
        "https://abc.vault.azure.net/keys/ours/latest",
        f"https://abc.vault.azure.net/keys/ours/{VERSION}/wrapkey",
        "https://abc.vault.azure.net/keys/ours?api-version=7.4",
        "https://abc.vault.azure.net/keys/ours\n",
    ],
)
def test_what_is_no_identifier_of_a_key_is_none(key: str) -> None:
    assert not is_vault_key(key)


def test_the_pattern_is_written_in_one_place() -> None:
    named = {
        path.name
        for folder in ("functions", "shared")
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and r"vault\.azure\.net" in str(node.value)
    }

    assert named == {"vault_hosts.py"}
