"""`azd up`: what azure.yaml names is there, as the templates name it, and the package is shipped.

Nothing here has met azd: the file is read as text. What azd does with it was read in its sources
(github.com/Azure/azure-dev: schemas/v1.0/azure.yaml.json, cli/azd/pkg/project).
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, TypedDict, cast

import pytest
import yaml

ROOT: Final = Path(__file__).parent.parent.parent

type Check = Callable[[str], Iterator[str]]
"""What is wrong with the text of azure.yaml, a line each."""


class Script(TypedDict):
    shell: str
    run: str


type Hook = Mapping[str, Script]


class Service(TypedDict, total=False):
    project: str
    language: str
    host: str
    remoteBuild: bool
    hooks: Mapping[str, Hook]


class Project(TypedDict, total=False):
    name: str
    requiredVersions: Mapping[str, str]
    infra: Mapping[str, str]
    services: Mapping[str, Service]
    workflows: Mapping[str, Mapping[str, Sequence[Mapping[str, str]]]]
    hooks: Mapping[str, Hook]


def text_of(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def project(text: str) -> Project:
    return cast("Project", yaml.safe_load(text))


def hooks_of(text: str) -> Iterator[tuple[str, Hook]]:
    yield from project(text).get("hooks", {}).items()
    for service in project(text)["services"].values():
        yield from service.get("hooks", {}).items()


def the_templates_are_there(text: str) -> Iterator[str]:
    infra = project(text)["infra"]
    for suffix in ("bicep", "parameters.json"):
        path = f"{infra['path']}/{infra['module']}.{suffix}"
        if not (ROOT / path).is_file():
            yield f"there is no {path}"
    if infra["provider"] != "bicep":
        yield "not by Bicep"


def azd_finds_the_app(text: str) -> Iterator[str]:
    """By the tags that the templates write."""
    tagged = set(
        re.findall(r"'azd-service-name': '([^']*)'", text_of("bicep/modules/functionapp.bicep"))
    )
    if tagged != set(project(text)["services"]):
        yield f"the app is tagged {tagged}"
    if "'azd-env-name': environmentName" not in text_of("bicep/main.bicep"):
        yield "the group is not tagged with azd's environment"


def the_app_is_a_python_function_app(text: str) -> Iterator[str]:
    for name, service in project(text)["services"].items():
        if (service.get("host"), service.get("language")) != ("function", "python"):
            yield f"{name} is something else"
        if not (ROOT / service["project"] / "host.json").is_file():
            yield f"{name} is not there"


def azure_builds_nothing(text: str) -> Iterator[str]:
    """azd's default for Python is to have the packages installed in Azure."""
    for name, service in project(text)["services"].items():
        if service.get("remoteBuild") is not False:
            yield f"{name} is built anew in Azure"
    # azd's changelog, 1.23.5: "`remoteBuild` option for Azure Functions flex consumption apps".
    if project(text).get("requiredVersions") != {"azd": ">= 1.23.5"}:
        yield "an azd may come along that does not know remoteBuild"


def up_ships_the_package(text: str) -> Iterator[str]:
    """The default steps would zip the source; `--from-package` takes what is there."""
    steps = project(text)["workflows"]["up"]["steps"]
    if steps != [{"azd": "provision"}, {"azd": "deploy api --from-package dist/flowrunner.zip"}]:
        yield f"azd up does {steps}"
    made = project(text)["hooks"].get("predeploy", {}).get("posix")
    if made != {"shell": "sh", "run": "make package"}:
        yield "the package is not made before it is deployed"
    for path in ("tools/package.py", "Makefile"):
        if path == "Makefile" and not re.search(r"^package:", text_of(path), re.MULTILINE):
            yield "there is no make package"
        if path != "Makefile" and '"dist" / "flowrunner.zip"' not in text_of(path):
            yield "the package is elsewhere"


def a_plain_deploy_is_refused(text: str) -> Iterator[str]:
    """It would ship the app without its packages. The hook is passed by with `--from-package`."""
    for name, service in project(text)["services"].items():
        hook = service.get("hooks", {}).get("prepackage", {})
        for system in ("posix", "windows"):
            lines = hook.get(system, Script(shell="", run=""))["run"].splitlines()
            if not lines or lines[-1] != "exit 1":
                yield f"{name} is deployed without packages, on {system}"


def hooks_run_on_every_system(text: str) -> Iterator[str]:
    """azd takes an inline script only with its shell."""
    for name, hook in hooks_of(text):
        shells = {system: script.get("shell") for system, script in hook.items()}
        if shells != {"posix": "sh", "windows": "pwsh"}:
            yield f"{name} runs by {shells}"


def hooks_say_the_same_on_every_system(text: str) -> Iterator[str]:
    told = project(text)["hooks"]["postprovision"]
    posix = re.sub(r'echo "', '"', told["posix"]["run"])
    windows = re.sub(r"\$(?:\{env:(\w+)\}|env:(\w+))", r"$\1\2", told["windows"]["run"])
    if posix != windows.replace('Write-Output "', '"'):
        yield "people on Windows are told something else"


def hooks_tell_what_the_templates_give(text: str) -> Iterator[str]:
    """azd hands a template's outputs to hooks as variables of the same name."""
    given = set(re.findall(r"^output (\w+) ", text_of("bicep/main.bicep"), re.MULTILINE))
    told = project(text)["hooks"]["postprovision"]["posix"]["run"]
    used = set(re.findall(r"\$(\w+)", told))
    if not {"SALESFORCE_CALLBACK_URL", "EGRESS_ADDRESS", "KEY_VAULT_NAME"} <= used:
        yield "what the next step needs is not told"
    yield from (f"the templates give no {name}" for name in sorted(used - given))
    yield from (
        f"the secret {name} is not told"
        for name in ("session-signing-key", "salesforce-client-secret")
        if name not in told
    )


def what_is_named_exists(text: str) -> Iterator[str]:
    for path in re.findall(r"\bdocs/[\w./-]*\w", text):
        if not (ROOT / path).is_file():
            yield f"there is no {path}"


CHECKS: Final[tuple[Check, ...]] = (
    the_templates_are_there,
    azd_finds_the_app,
    the_app_is_a_python_function_app,
    azure_builds_nothing,
    up_ships_the_package,
    a_plain_deploy_is_refused,
    hooks_run_on_every_system,
    hooks_say_the_same_on_every_system,
    hooks_tell_what_the_templates_give,
    what_is_named_exists,
)


@pytest.mark.parametrize("check", CHECKS)
def test_azure_yaml_is_as_it_must_be(check: Check) -> None:
    assert list(check(text_of("azure.yaml"))) == []


MUTANTS: Final[Sequence[tuple[Check, str, str]]] = [
    (the_templates_are_there, "path: bicep", "path: infra"),
    (the_templates_are_there, "module: main", "module: stack"),
    (the_templates_are_there, "provider: bicep", "provider: terraform"),
    (azd_finds_the_app, "  api: #", "  web: #"),
    (the_app_is_a_python_function_app, "host: function", "host: appservice"),
    (the_app_is_a_python_function_app, "language: python", "language: js"),
    (the_app_is_a_python_function_app, "project: .", "project: functions"),
    (azure_builds_nothing, "    remoteBuild: false\n", ""),
    (azure_builds_nothing, "remoteBuild: false", "remoteBuild: true"),
    (azure_builds_nothing, ">= 1.23.5", ">= 1.10.0"),
    (up_ships_the_package, "      - azd: provision\n", ""),
    (up_ships_the_package, "azd: deploy api --from-package dist/flowrunner.zip", "azd: deploy api"),
    (up_ships_the_package, "run: make package", "run: make lint"),
    (a_plain_deploy_is_refused, "            exit 1\n        windows", "        windows"),
    (a_plain_deploy_is_refused, "prepackage:", "postpackage:"),
    (hooks_run_on_every_system, "      shell: sh\n", "      shell: bash\n"),
    (hooks_run_on_every_system, "    windows:\n", "    darwin:\n"),
    (hooks_say_the_same_on_every_system, "$env:EGRESS_ADDRESS", "$env:PUBLIC_BASE_URL"),
    (hooks_tell_what_the_templates_give, "EGRESS_ADDRESS", "OUTGOING_ADDRESS"),
    (hooks_tell_what_the_templates_give, "session-signing-key", "signing-key"),
    (what_is_named_exists, "docs/setup/azure.md", "docs/azure.md"),
]


@pytest.mark.parametrize(("check", "was", "becomes"), MUTANTS)
def test_an_azure_yaml_that_is_worse_is_found(check: Check, was: str, becomes: str) -> None:
    text = text_of("azure.yaml")
    assert was in text

    assert list(check(text.replace(was, becomes))) != []


def test_every_check_has_been_seen_to_fail() -> None:
    assert {check for check, _, _ in MUTANTS} == set(CHECKS)
