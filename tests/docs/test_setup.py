"""docs/setup: what operators set, run and type is what code and templates ask for."""

import json
import re
from typing import Any, Final

import pytest

from functions.operations import _PREFLIGHT
from functions.requests import LARGEST_BODY_BYTES
from shared import errors
from shared.identity import microsoft, sessions
from shared.salesforce import oauth
from shared.settings import EU_REGIONS
from shared.usecases.begin_connection import TICKET_LIFETIME
from shared.usecases.clean_up import IDEMPOTENCY_LIFETIME
from shared.usecases.finish_connection import PARKED_LIFETIME
from shared.usecases.sign_in import SESSION_LIFETIME
from tests.docs.markdown import ROOT, Block, blocks, text_of
from tests.docs.tables import code_spans, section, tables

SETUP: Final = {path.stem: text_of(path) for path in (ROOT / "docs" / "setup").glob("*.md")}
MAIN: Final = text_of(ROOT / "bicep" / "main.bicep")
STACK: Final = text_of(ROOT / "bicep" / "modules" / "stack.bicep")
PARAMETERS: Final = json.loads(text_of(ROOT / "bicep" / "main.parameters.json"))["parameters"]
CONTRACT: Final = json.loads(text_of(ROOT / "functions" / "openapi.json"))
SAMPLE: Final = json.loads(text_of(ROOT / "local.settings.sample.json"))["Values"]
IS_SETTING: Final = re.compile(r"(?<![\w-])(\w+)(?![\w-])")


def words_of(text: str) -> set[str]:
    return set(IS_SETTING.findall(text))


def placeholder(parameter: str) -> tuple[str, str | None]:
    """The name that azd fills a parameter from, and its default; None where there is none."""
    match = re.fullmatch(r"\$\{(\w+)(?:=(.*))?\}", PARAMETERS[parameter]["value"])
    assert match is not None
    return match[1], match[2]


def declared(template: str, keyword: str) -> set[str]:
    return set(re.findall(rf"^{keyword} (\w+) ", template, re.MULTILINE))


def json_blocks(page: str) -> list[Any]:
    return [json.loads(block.body) for block in blocks(SETUP[page]) if block.info == "json"]


# --- settings, parameters, outputs --------------------------------------------------------------


@pytest.mark.parametrize("setting", SAMPLE)
def test_every_setting_of_the_sample_is_explained(setting: str) -> None:
    assert [page for page, text in SETUP.items() if setting in words_of(text)]


def decided() -> list[dict[str, str]]:
    """The table of what a new environment is told."""
    return tables(section(SETUP["azure"], "## 1a. A new environment, by azd"))[0]


def test_every_parameter_is_in_the_table_under_its_name_in_azd_and_no_other() -> None:
    told = {code_spans(row["parameter"])[0]: code_spans(row["name"])[0] for row in decided()}

    assert told == {name: placeholder(name)[0] for name in PARAMETERS}
    assert set(told) == declared(MAIN, "param")


@pytest.mark.parametrize("row", decided(), ids=lambda row: row["parameter"])
def test_each_default_is_the_one_that_azd_has(row: dict[str, str]) -> None:
    _, default = placeholder(code_spans(row["parameter"])[0])
    told = code_spans(row["default"])

    if default is None:
        assert row["default"] == "" or row["name"] == "`AZURE_ENV_NAME`"
    elif default == "":
        assert row["default"] != ""
        assert told == []
    else:
        assert told == [default]


def test_every_name_that_azd_is_told_is_one_that_is_read() -> None:
    typed = {name for text in SETUP.values() for name in re.findall(r"azd env set (\w+)", text)}

    assert typed <= {placeholder(name)[0] for name in PARAMETERS}
    required = {placeholder(name)[0] for name in PARAMETERS if placeholder(name)[1] is None}
    assert required - {"AZURE_ENV_NAME"} <= typed  # the first is told by `azd env new`


def test_the_group_of_a_customer_has_the_same_parameters_but_two() -> None:
    assert declared(MAIN, "param") - declared(STACK, "param") == {
        "environmentName",
        "assignLocationPolicy",
    }
    assert "but `environmentName` and\n`assignLocationPolicy`" in SETUP["azure"]


@pytest.mark.parametrize("template", [MAIN, STACK], ids=["main", "stack"])
def test_the_table_of_outputs_names_each_of_them_and_no_other(template: str) -> None:
    (table,) = tables(section(SETUP["azure"], "## 2. What it answers"))

    assert {name for row in table for name in code_spans(row["output"])} == declared(
        template, "output"
    )


def test_the_regions_are_those_of_code_and_templates() -> None:
    (line,) = re.findall(r"^Regions: .*?\. ", SETUP["azure"], re.MULTILINE | re.DOTALL)
    allowed = re.search(r"@allowed\(\[\n([^\]]*)\]\)\n@metadata", MAIN)

    assert code_spans(line) == list(EU_REGIONS)
    assert allowed is not None
    assert re.findall(r"'(\w+)'", allowed[1]) == list(EU_REGIONS)


def test_the_app_has_as_many_roles_as_is_said() -> None:
    made = declared(text_of(ROOT / "bicep/modules/roles.bicep"), "resource")
    lines = text_of(ROOT / "bicep/modules/roles.bicep").splitlines()
    assigned = [line for line in lines if "roleAssignments@" in line]

    assert len(assigned) == 7 < len(made)
    assert "seven roles" in SETUP["azure"]


# --- secrets ------------------------------------------------------------------------------------


def shell(text: str) -> list[str]:
    """The lines of the blocks without a language: what is typed."""
    typed: list[Block] = [block for block in blocks(text) if block.info == ""]
    return [line for block in typed for line in block.body.replace("\\\n", " ").splitlines()]


def test_every_secret_is_put_into_the_vault_from_a_file() -> None:
    lines = [line for line in shell(SETUP["azure"]) if "az keyvault secret set" in line]
    stored = {re.findall(r"--name (\S+)", line)[0]: line for line in lines}

    assert stored.keys() == {sessions.SIGNING_SECRET, oauth.CLIENT_SECRET}
    assert [line for line in lines if f"--file {name_of(line)}.txt" not in line] == []


def name_of(line: str) -> str:
    return str(re.findall(r"--name (\S+)", line)[0])


@pytest.mark.parametrize("page", SETUP)
def test_no_secret_is_ever_an_argument(page: str) -> None:
    assert [line for line in shell(SETUP[page]) if re.search(r"--(value|password)\b", line)] == []


def test_each_file_with_a_secret_is_removed_after_it() -> None:
    lines = shell(SETUP["azure"])
    written = [line.rpartition("> ")[2] for line in lines if "> " in line and "secret" in line]
    written += [line.rpartition("> ")[2] for line in lines if "> session" in line]

    assert len(written) == 2
    assert [name for name in written if f"rm {name}" not in lines] == []


# --- Entra ID -----------------------------------------------------------------------------------


def test_the_registration_has_the_scope_and_the_version_that_the_code_wants() -> None:
    api = json_blocks("entra")[0]

    assert [scope["value"] for scope in api["oauth2PermissionScopes"]] == [microsoft._SCOPE]
    assert api["requestedAccessTokenVersion"] == 2


def test_office_and_the_sample_add_in_are_pre_authorised_for_that_scope() -> None:
    api, more, *_ = json_blocks("entra")
    clients = {client["appId"]: client for client in more["preAuthorizedApplications"]}
    (scope,) = api["oauth2PermissionScopes"]

    office, add_in = clients
    assert office in microsoft.OFFICE_CLIENTS
    assert add_in == SAMPLE["ENTRA_ADDIN_CLIENT_IDS"]
    assert {tuple(c["delegatedPermissionIds"]) for c in clients.values()} == {(scope["id"],)}


def test_the_role_is_the_one_that_makes_an_administrator() -> None:
    (role,) = json_blocks("entra")[2]

    assert (role["value"], role["allowedMemberTypes"]) == (microsoft.ADMIN_ROLE, ["User"])


def test_the_federated_credential_trusts_the_identity_for_the_audience_that_is_asked_for() -> None:
    credential = json_blocks("entra")[3]

    assert credential["issuer"] == "https://login.microsoftonline.com/TENANT/v2.0"
    assert credential["subject"] in declared(MAIN, "output")
    (audience,) = credential["audiences"]
    assert f'"{audience}/.default"' in text_of(ROOT / "shared" / "outside.py")


# --- Salesforce ---------------------------------------------------------------------------------


def test_the_app_asks_for_exactly_the_scopes_of_the_code() -> None:
    (row,) = [r for r in tables(SETUP["salesforce"])[0] if r["field"] == "scopes"]

    assert code_spans(row["value"]) == [" ".join(oauth.SCOPES)]


def test_callback_and_address_are_outputs() -> None:
    rows = {row["field"]: row["value"] for row in tables(SETUP["salesforce"])[0]}

    assert code_spans(rows["callback URL"])[0] in declared(MAIN, "output")
    address = code_spans(rows["refresh token IP allow-list"])[0]
    assert address == "EGRESS_ADDRESS/32"
    assert address.removesuffix("/32") in declared(MAIN, "output")


# --- the add-in ---------------------------------------------------------------------------------


def codes() -> set[str]:
    """The public codes of every failure."""

    def below(kind: type[errors.FlowRunnerError]) -> set[str]:
        own = {kind.code} if "code" in vars(kind) else set()
        return own.union(*(below(child) for child in kind.__subclasses__()))

    return below(errors.FlowRunnerError) | {"internal"}


def test_the_table_of_errors_has_every_code_and_no_other() -> None:
    (table,) = tables(section(SETUP["addin"], "## Errors"))

    assert {code for row in table for code in code_spans(row["code"])} == codes()


def test_every_route_that_the_add_in_is_told_of_is_in_the_contract() -> None:
    told = set(re.findall(r"(GET|POST|PUT|DELETE) (?:\w+)?(/v1/[\w/{}.-]*[\w}])", SETUP["addin"]))
    known = {(m.upper(), path) for path, ways in CONTRACT["paths"].items() for m in ways}

    assert len(told) >= 10
    assert told <= known


def test_the_headers_that_a_preflight_allows_are_told() -> None:
    (line,) = re.findall(r"Preflights allow .*\.", SETUP["addin"])

    assert ", ".join(code_spans(line)) == _PREFLIGHT["Access-Control-Allow-Headers"]


def test_the_numbers_that_an_add_in_is_told_are_those_of_the_code() -> None:
    services = ROOT / "shared" / "services"
    texts = "".join(text_of(services / f"{name}.py") for name in ("sign_in", "steps"))
    limits = re.findall(r"RateLimit\(per_minute=([\d_]+), burst=([\d_]+)\)", texts)
    (user, burst), (tenant, of_all), (sign_in, ten), (guesses, guessed) = [
        (int(a.replace("_", "")), int(b.replace("_", ""))) for a, b in limits
    ]
    told = " ".join(SETUP["addin"].split())

    assert f"{user} requests a minute for a user ({burst} at once)" in told
    assert f"{tenant:,} for a tenant ({of_all} at once), {sign_in} sign-ins a minute" in told
    assert (ten, "sign-ins a minute (ten at once;" in told) == (10, True)
    assert f"{guesses} tickets or states a minute that nobody gave out ({guessed} at once)" in told
    assert f"are at most {LARGEST_BODY_BYTES // 1024} KiB" in told
    assert f"({SESSION_LIFETIME.total_seconds():.0f} seconds)" in told
    assert TICKET_LIFETIME == PARKED_LIFETIME
    assert told.count(f"within {TICKET_LIFETIME.total_seconds() // 60:.0f} minutes") == 2
    assert f"for {IDEMPOTENCY_LIFETIME.total_seconds() // 3600:.0f} hours" in told
