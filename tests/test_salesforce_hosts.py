"""The corpus of hosts: which are Salesforce's by the strict pattern, and which only look so."""

import pytest

from shared.salesforce_hosts import instance_host_of, is_instance_host, is_login_host

INSTANCES = [
    pytest.param("acme.my.salesforce.com", id="production"),
    pytest.param("a.my.salesforce.com", id="one-letter"),
    pytest.param("0-a.my.salesforce.com", id="digits-and-hyphens"),
    pytest.param("a" * 63 + ".my.salesforce.com", id="the-longest-label"),
    pytest.param("acme--uat.sandbox.my.salesforce.com", id="sandbox"),
    pytest.param("acme.develop.my.salesforce.com", id="developer-edition"),
    pytest.param("acme.scratch.my.salesforce.com", id="scratch-org"),
    pytest.param("acme.trailblaze.my.salesforce.com", id="playground"),
    pytest.param("acme.patch.my.salesforce.com", id="patch-org"),
    pytest.param("acme.demo.my.salesforce.com", id="demo-org"),
    pytest.param("acme.free.my.salesforce.com", id="free-org"),
    pytest.param("agency.my.salesforce.mil", id="government"),
]

FOREIGN = [
    pytest.param("", id="nothing"),
    pytest.param("my.salesforce.com", id="the-bare-suffix"),
    pytest.param(".my.salesforce.com", id="an-empty-label"),
    pytest.param("acme.my.salesforce.com.evil.example.com", id="a-suffix-that-goes-on"),
    pytest.param("acme.my.salesforce.com.", id="a-trailing-dot"),
    pytest.param("evilmy.salesforce.com", id="no-dot-before-my"),
    pytest.param("acme.my-salesforce.com", id="a-hyphen-for-a-dot"),
    pytest.param("acme.mysalesforce.com", id="no-dot-after-my"),
    pytest.param("acme.my.salesforce.co", id="another-top-level-domain"),
    pytest.param("acme.my.salesforce.com:443", id="a-port"),
    pytest.param("acme.my.salesforce.com/path", id="a-path"),
    pytest.param("acme.my.salesforce.com#", id="a-fragment"),
    pytest.param("acme.my.salesforce.com?x", id="a-query"),
    pytest.param("user@acme.my.salesforce.com", id="user-information"),
    pytest.param("evil.test\\@acme.my.salesforce.com", id="a-backslash-before-at"),
    pytest.param("evil.test/acme.my.salesforce.com", id="a-slash-in-front"),
    pytest.param("evil.test#acme.my.salesforce.com", id="a-fragment-in-front"),
    pytest.param("evil.test%00.my.salesforce.com", id="an-encoded-nul"),
    pytest.param("evil.test\x00.my.salesforce.com", id="a-nul"),
    pytest.param("acme.my.salesforce.com\n", id="a-line-break-at-the-end"),
    pytest.param("evil.test\nacme.my.salesforce.com", id="a-line-break-inside"),
    pytest.param("evil.test\r\nHost: acme.my.salesforce.com", id="a-header"),
    pytest.param(" acme.my.salesforce.com", id="a-space-in-front"),
    pytest.param("acme.my.salesforce.com ", id="a-space-behind"),
    pytest.param("acme\t.my.salesforce.com", id="a-tab"),
    pytest.param("acme\u3002my\u3002salesforce\u3002com", id="ideographic-full-stops"),
    pytest.param("acme.my.sale\u017fforce.com", id="a-long-s-that-folds-to-s"),
    pytest.param("\uff41cme.my.salesforce.com", id="a-full-width-letter"),
    pytest.param("аcme.my.salesforce.com", id="a-cyrillic-letter"),  # noqa: RUF001 - on purpose
    pytest.param("acme٠.my.salesforce.com", id="an-arabic-digit"),  # noqa: RUF001 - on purpose
    pytest.param("-acme.my.salesforce.com", id="a-hyphen-first"),
    pytest.param("acme-.my.salesforce.com", id="a-hyphen-last"),
    pytest.param("ac_me.my.salesforce.com", id="an-underscore"),
    pytest.param("a" * 64 + ".my.salesforce.com", id="a-label-too-long"),
    pytest.param("a.b.my.salesforce.com", id="two-labels"),
    pytest.param("acme--uat.cs92.my.salesforce.com", id="from-before-enhanced-domains"),
    pytest.param("acme.evil.my.salesforce.com", id="an-unknown-partition"),
    pytest.param("sandbox.my.salesforce.com.evil.test", id="a-partition-elsewhere"),
    pytest.param("acme.lightning.force.com", id="the-user-interface"),
    pytest.param("acme.my.site.com", id="a-site"),
    pytest.param("127.0.0.1", id="loopback"),
    pytest.param("169.254.169.254", id="instance-metadata"),
    pytest.param("[::1]", id="loopback-in-ipv6"),
    pytest.param("2130706433", id="loopback-as-a-number"),
    pytest.param("localhost", id="localhost"),
    pytest.param("*.my.salesforce.com", id="a-wildcard"),
]


@pytest.mark.parametrize("host", INSTANCES)
def test_my_domains_are_instances_and_places_to_log_in(host: str) -> None:
    assert is_instance_host(host)
    assert is_login_host(host)
    assert instance_host_of(f"https://{host}") == host
    assert instance_host_of(f"https://{host}/") == host


@pytest.mark.parametrize("host", ["login.salesforce.com", "test.salesforce.com"])
def test_the_common_hosts_are_for_logging_in_only(host: str) -> None:
    assert is_login_host(host)
    assert not is_instance_host(host)
    assert instance_host_of(f"https://{host}") is None


@pytest.mark.parametrize("host", FOREIGN)
def test_no_other_host_passes(host: str) -> None:
    assert not is_instance_host(host)
    assert not is_login_host(host)
    assert instance_host_of(f"https://{host}") is None


@pytest.mark.parametrize(
    "host", ["LOGIN.salesforce.com", "login.salesforce.com.", "xlogin.salesforce.com", "login"]
)
def test_the_common_hosts_are_matched_to_the_letter(host: str) -> None:
    assert not is_login_host(host)


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("https://evil.test\\@acme.my.salesforce.com", id="a-backslash-before-at"),
        pytest.param("https://acme.my.salesforce.com@evil.test", id="user-information"),
        pytest.param("https://user:pass@acme.my.salesforce.com", id="credentials"),
        pytest.param("https://acme.my.salesforce.com:8443", id="a-port"),
        pytest.param("https://acme.my.salesforce.com:", id="an-empty-port"),
        pytest.param("https://acme.my.salesforce.com/services", id="a-path"),
        pytest.param("https://acme.my.salesforce.com//", id="two-slashes"),
        pytest.param("https://acme.my.salesforce.com?x=1", id="a-query"),
        pytest.param("https://acme.my.salesforce.com#x", id="a-fragment"),
        pytest.param("http://acme.my.salesforce.com", id="http"),
        pytest.param("HTTPS://acme.my.salesforce.com", id="an-upper-case-scheme"),
        pytest.param("https:acme.my.salesforce.com", id="no-slashes"),
        pytest.param("https:/acme.my.salesforce.com", id="one-slash"),
        pytest.param("https:///acme.my.salesforce.com", id="three-slashes"),
        pytest.param("//acme.my.salesforce.com", id="no-scheme"),
        pytest.param("acme.my.salesforce.com", id="a-bare-host"),
        pytest.param(" https://acme.my.salesforce.com", id="a-space-in-front"),
        pytest.param("https://acme.my.salesforce.com\n", id="a-line-break"),
        pytest.param("javascript://acme.my.salesforce.com", id="another-scheme"),
        pytest.param("file:///etc/passwd", id="a-file"),
        pytest.param("https://", id="no-host"),
    ],
)
def test_an_instance_address_is_an_origin_and_nothing_more(url: str) -> None:
    assert instance_host_of(url) is None


def test_the_host_of_an_instance_address_comes_out_in_lower_case() -> None:
    assert instance_host_of("https://Acme.My.Salesforce.com") == "acme.my.salesforce.com"
    assert not is_instance_host("Acme.My.Salesforce.com")
