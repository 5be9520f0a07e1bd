"""What a tenant may settle, and what it may not: every bound from both sides."""

import json
from typing import Any

import pytest

from shared.email_vocabulary import VOCABULARY
from shared.errors import InvalidRequestError
from shared.model import TenantSettings
from shared.tenant_settings import (
    MEMBERS,
    revision_of,
    settings_from,
    settings_members,
    settings_sent,
    settings_text,
)
from tests.fakes import CONTOSO_ORG, FABRIKAM_ORG

KEY = "https://contoso-keys.vault.azure.net/keys/flowrunner"
WHOLE: dict[str, Any] = {
    "retention_days": 30,
    "allowed_orgs": [CONTOSO_ORG],
    "idle_grants": "keep_alive",
    "input_aliases": {"Log_Email": {"mailTitle": "subject"}},
    "customer_key": KEY,
}


def sent(**changes: Any) -> TenantSettings:  # noqa: ANN401 - what a stranger sends
    return settings_sent({**WHOLE, **changes})


def refused(**changes: Any) -> None:  # noqa: ANN401 - as above
    with pytest.raises(InvalidRequestError):
        sent(**changes)


def org(number: int) -> str:
    return f"00D5g0000{number:06d}"


def test_a_whole_document_is_taken_as_it_is() -> None:
    settings = sent()

    assert settings == TenantSettings(
        retention_days=30,
        allowed_orgs=(CONTOSO_ORG,),
        idle_grants="keep_alive",
        input_aliases={"Log_Email": {"mailTitle": "subject"}},
        customer_key=KEY,
    )
    assert settings_members(settings) == WHOLE
    assert set(MEMBERS) == set(WHOLE) == set(TenantSettings.__dataclass_fields__)


@pytest.mark.parametrize("member", MEMBERS)
def test_every_member_is_required(member: str) -> None:
    with pytest.raises(InvalidRequestError):
        settings_sent({name: value for name, value in WHOLE.items() if name != member})


@pytest.mark.parametrize("member", ["retention", "changes", "", "Retention_days", "status"])
def test_an_unknown_member_is_refused(member: str) -> None:
    refused(**{member: 1})


@pytest.mark.parametrize("days", [1, 365, 3_650])
def test_runs_are_kept_for_a_day_to_ten_years(days: int) -> None:
    assert sent(retention_days=days).retention_days == days


@pytest.mark.parametrize("days", [0, -1, 3_651, True, False, 30.0, "30", None, [30], 10**30])
def test_another_retention_is_refused(days: object) -> None:
    refused(retention_days=days)


@pytest.mark.parametrize("word", ["", "Lapse", "keep-alive", None, True, 0, ["lapse"], {}])
def test_idle_grants_know_two_words(word: object) -> None:
    assert [sent(idle_grants=w).idle_grants for w in ("lapse", "keep_alive")] == [
        "lapse",
        "keep_alive",
    ]
    refused(idle_grants=word)


# --- orgs ------------------------------------------------------------------------------------


def test_an_org_is_kept_in_its_long_form() -> None:
    assert sent(allowed_orgs=[CONTOSO_ORG[:15], FABRIKAM_ORG]).allowed_orgs == (
        CONTOSO_ORG,
        FABRIKAM_ORG,
    )


def test_no_org_and_a_hundred_orgs_are_taken() -> None:
    assert sent(allowed_orgs=[]).allowed_orgs == ()
    assert len(sent(allowed_orgs=[org(n) for n in range(100)]).allowed_orgs) == 100


@pytest.mark.parametrize(
    "orgs",
    [
        pytest.param([org(n) for n in range(101)], id="more-than-a-hundred"),
        pytest.param([CONTOSO_ORG, CONTOSO_ORG], id="one-twice"),
        pytest.param([CONTOSO_ORG, CONTOSO_ORG[:15]], id="one-in-both-forms"),
        pytest.param([CONTOSO_ORG[:-1] + "0"], id="a-wrong-suffix"),
        pytest.param([f"{CONTOSO_ORG}\n"], id="a-line-end"),
        pytest.param([""], id="an-empty-id"),
        pytest.param([None], id="nothing"),
        pytest.param([5], id="a-number"),
        pytest.param([[CONTOSO_ORG]], id="a-list"),
        pytest.param(CONTOSO_ORG, id="no-list"),
        pytest.param(None, id="null"),
        pytest.param({CONTOSO_ORG: True}, id="an-object"),
    ],
)
def test_other_orgs_are_refused(orgs: object) -> None:
    refused(allowed_orgs=orgs)


# --- aliases ---------------------------------------------------------------------------------


def test_every_field_of_the_vocabulary_may_have_an_alias() -> None:
    names = {f"mine{n}": field for n, field in enumerate(VOCABULARY)}

    assert sent(input_aliases={"Log_Email": names}).input_aliases == {"Log_Email": names}


def test_two_hundred_flows_and_twenty_aliases_are_taken() -> None:
    flows: dict[str, dict[str, str]] = {f"F{n}": {"a": "subject"} for n in range(200)}
    twenty = {f"a{n}": "subject" for n in range(20)}

    assert len(sent(input_aliases=flows).input_aliases) == 200
    assert sent(input_aliases={"F": twenty, "G": {}}).input_aliases == {"F": twenty, "G": {}}


@pytest.mark.parametrize(
    "aliases",
    [
        pytest.param({f"F{n}": {} for n in range(201)}, id="more-than-200-flows"),
        pytest.param({"F": {f"a{n}": "subject" for n in range(21)}}, id="more-than-20-aliases"),
        pytest.param({"1F": {}}, id="a-flow-that-cannot-be"),
        pytest.param({"F-G": {}}, id="a-hyphen-in-a-flow"),
        pytest.param({"F\n": {}}, id="a-line-end-in-a-flow"),
        pytest.param({"Log_Email": {}, "log_email": {}}, id="one-flow-twice"),
        pytest.param({"F": {"": "subject"}}, id="an-empty-alias"),
        pytest.param({"F": {"1a": "subject"}}, id="a-digit-first"),
        pytest.param({"F": {"_a": "subject"}}, id="an-underscore-first"),
        pytest.param({"F": {"a b": "subject"}}, id="a-space"),
        pytest.param({"F": {"a\n": "subject"}}, id="a-line-end"),
        pytest.param({"F": {"\u00e4": "subject"}}, id="not-ascii"),
        pytest.param({"F": {"a" * 81: "subject"}}, id="too-long"),
        pytest.param({"F": {"a": "body"}}, id="a-field-that-is-none"),
        pytest.param({"F": {"a": "Subject"}}, id="a-field-in-upper-case"),
        pytest.param({"F": {"a": None}}, id="no-field"),
        pytest.param({"F": {"a": ["subject"]}}, id="a-list-of-fields"),
        pytest.param({"F": ["a"]}, id="a-list-of-aliases"),
        pytest.param({"F": None}, id="no-aliases"),
        pytest.param([], id="a-list"),
        pytest.param(None, id="null"),
    ],
)
def test_other_aliases_are_refused(aliases: object) -> None:
    refused(input_aliases=aliases)


def test_an_alias_has_at_most_eighty_characters() -> None:
    names = {"F": {"a" * 80: "subject"}}

    assert sent(input_aliases=names).input_aliases == names


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("mailTitle", "MAILTITLE"),
        ("mailTitle", "mail_title"),
        ("mailTitle", "flrMailTitle"),
        ("mailTitle", "email_mail_title"),
        ("mailTitle", "flr_email_mailTitle"),
        ("flrMailTitle", "emailMailTitle"),
    ],
)
def test_two_names_that_could_be_one_input_are_refused(one: str, other: str) -> None:
    refused(input_aliases={"F": {one: "subject", other: "sender_name"}})
    refused(input_aliases={"F": {other: "subject", one: "subject"}})
    apart = {"F": {one: "subject"}, "G": {other: "subject"}}
    assert sent(input_aliases=apart).input_aliases == apart


def test_names_that_only_look_alike_may_stand_together() -> None:
    names = {
        "mailTitle": "subject",
        "mailTitle2": "sender_name",
        "flr": "source",
        "email": "source",
    }

    assert sent(input_aliases={"F": names}).input_aliases == {"F": names}


# --- the customer's key ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "key",
    [
        KEY,
        f"{KEY}/{'0123456789abcdef' * 2}",
        "https://abc.vault.azure.net/keys/k",
        f"https://a{'b' * 23}.vault.azure.net/keys/{'k' * 127}",
        "https://a-1.vault.azure.net/keys/K-1",
    ],
)
def test_a_key_of_a_vault_is_taken(key: str) -> None:
    assert sent(customer_key=key).customer_key == key


def test_there_need_be_no_key() -> None:
    assert sent(customer_key=None).customer_key is None


@pytest.mark.parametrize(
    "key",
    [
        "",
        "http://contoso-keys.vault.azure.net/keys/k",
        "HTTPS://contoso-keys.vault.azure.net/keys/k",
        "https://Contoso.vault.azure.net/keys/k",
        "https://contoso-keys.vault.azure.net:443/keys/k",
        "https://contoso-keys.vault.azure.net@evil.example.com/keys/k",
        "https://user@contoso-keys.vault.azure.net/keys/k",
        "https://contoso-keys.vault.azure.net.evil.example.com/keys/k",
        "https://evil.example.com/contoso-keys.vault.azure.net/keys/k",
        "https://evil.example.com/?.vault.azure.net/keys/k",
        "https://evil.example.com#.vault.azure.net/keys/k",
        "https://a.b.vault.azure.net/keys/k",
        "https://.vault.azure.net/keys/k",
        "https://vault.azure.net/keys/k",
        "https://ab.vault.azure.net/keys/k",
        f"https://a{'b' * 24}.vault.azure.net/keys/k",
        "https://1abc.vault.azure.net/keys/k",
        "https://-abc.vault.azure.net/keys/k",
        "https://abc-.vault.azure.net/keys/k",
        "https://a--b.vault.azure.net/keys/k",
        "https://a_b.vault.azure.net/keys/k",
        "https://contos\u00f6.vault.azure.net/keys/k",
        "https://contoso\uff0evault.azure.net/keys/k",
        "https://contoso-keys.vault.azure.cn/keys/k",
        "https://contoso-keys.managedhsm.azure.net/keys/k",
        "https://contoso-keys.vault.azure.net/secrets/k",
        "https://contoso-keys.vault.azure.net/keys/",
        "https://contoso-keys.vault.azure.net/keys/k/",
        "https://contoso-keys.vault.azure.net/keys/k_1",
        "https://contoso-keys.vault.azure.net/keys/%6b",
        "https://contoso-keys.vault.azure.net/keys/../secrets/k",
        "https://contoso-keys.vault.azure.net//keys/k",
        f"https://contoso-keys.vault.azure.net/keys/{'k' * 128}",
        f"https://contoso-keys.vault.azure.net/keys/k/{'a' * 31}",
        f"https://contoso-keys.vault.azure.net/keys/k/{'a' * 33}",
        f"https://contoso-keys.vault.azure.net/keys/k/{'A' * 32}",
        f"https://contoso-keys.vault.azure.net/keys/k/{'\u0661' * 32}",
        f"https://contoso-keys.vault.azure.net/keys/k/{'a' * 32}/wrapkey",
        f"{KEY}?api-version=7.4",
        f"{KEY}#x",
        f"{KEY}\n",
        f" {KEY}",
        f"{KEY} ",
        f"{KEY}\x00",
        5,
        True,
        [KEY],
        {"id": KEY},
    ],
)
def test_another_key_is_refused(key: object) -> None:
    refused(customer_key=key)


# --- the text --------------------------------------------------------------------------------


def aliases_of(characters: int) -> dict[str, dict[str, str]]:
    """Aliases that make the text of all settings exactly so long."""

    def made(padding: int) -> dict[str, dict[str, str]]:
        flows: dict[str, dict[str, str]] = {}
        for number in range(190):
            here = min(padding, 79)
            padding -= here
            names = ("a" + "a" * here, "b", "c")
            flows[f"F{number:03d}"] = dict.fromkeys(names, "subject")
        return flows

    return made(characters - len(json.dumps({**WHOLE, "input_aliases": made(0)})))


def test_the_whole_has_at_most_24_000_characters() -> None:
    assert len(settings_text(sent(input_aliases=aliases_of(24_000)))) == 24_000
    refused(input_aliases=aliases_of(24_001))


def test_what_is_stored_is_read_as_it_was() -> None:
    assert settings_from(settings_text(sent())) == sent()


def test_the_same_content_has_the_same_revision_in_any_order() -> None:
    two = {"a": "subject", "b": "sender_name"}
    turned = {"b": "sender_name", "a": "subject"}

    one = sent(input_aliases={"F": two, "G": two})
    other = settings_sent(
        dict(reversed({**WHOLE, "input_aliases": {"G": turned, "F": turned}}.items()))
    )

    assert revision_of(one) == revision_of(other)


@pytest.mark.parametrize(
    "change",
    [
        {"retention_days": 31},
        {"allowed_orgs": []},
        {"idle_grants": "lapse"},
        {"input_aliases": {"Log_Email": {"mailTitle": "sender_name"}}},
        {"customer_key": None},
    ],
    ids=lambda change: next(iter(change)),
)
def test_each_setting_is_in_the_revision(change: dict[str, Any]) -> None:
    assert revision_of(sent(**change)) != revision_of(sent())
