"""The commands that documents tell people to type, and whether there are such."""

import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from typing import Final

from tests.docs.markdown import ROOT, blocks, spans, text_of

# Each verb with the options that documents use. Read in the Azure CLI's own source, version 2.91.0
# of the package azure-cli (command_modules/*/commands.py, _params.py, _help.py, aaz), which each
# command of docs/ was also parsed with; `monitor log-analytics query` in the extension
# `log-analytics` (github.com/Azure/azure-cli-extensions).
AZ: Final[Mapping[str, frozenset[str]]] = {
    verb: frozenset(options.split())
    for verb, options in {
        "account get-access-token": "",
        "account set": "--subscription",
        "account show": "",
        "ad app create": "--display-name --sign-in-audience --identifier-uris",
        "ad app federated-credential create": "--id --parameters",
        "ad app permission add": "--id --api --api-permissions",
        "ad app permission admin-consent": "--id",
        "ad app show": "--id",
        "ad app update": (
            "--id --set --identifier-uris --app-roles --requested-access-token-version"
            " --optional-claims --web-redirect-uris"
        ),
        "ad signed-in-user show": "",
        "ad sp create": "--id",
        "deployment group create": "--resource-group --name --template-file --parameters",
        "deployment group show": "--resource-group --name",
        "deployment group what-if": "--resource-group --name --template-file --parameters",
        "deployment sub create": "--location --name --template-file --parameters",
        "deployment sub show": "--name",
        "deployment sub what-if": "--location --name --template-file --parameters",
        "functionapp config access-restriction add": (
            "--name --resource-group --rule-name --action --ip-address --priority"
        ),
        "functionapp config access-restriction remove": "--name --resource-group --rule-name",
        "functionapp config access-restriction set": "--name --resource-group --default-action",
        "functionapp config appsettings list": "--name --resource-group",
        "functionapp config appsettings set": "--name --resource-group --settings",
        "functionapp deployment source config-zip": (
            "--name --resource-group --src --build-remote --timeout"
        ),
        "functionapp function list": "--name --resource-group",
        "functionapp keys list": "--name --resource-group",
        "functionapp keys set": "--name --resource-group --key-type --key-name",
        "functionapp list-flexconsumption-locations": "--zone-redundant",
        "functionapp restart": "--name --resource-group",
        "functionapp start": "--name --resource-group",
        "functionapp stop": "--name --resource-group",
        "group create": "--name --location",
        "group delete": "--name",
        "group show": "--name",
        "identity list": "--resource-group",
        "keyvault key list-versions": "--vault-name --name",
        "keyvault key recover": "--vault-name --name",
        "keyvault key rotate": "--vault-name --name",
        "keyvault key set-attributes": "--vault-name --name --version --enabled",
        "keyvault network-rule add": "--name --resource-group --ip-address",
        "keyvault network-rule remove": "--name --resource-group --ip-address",
        "keyvault recover": "--name --resource-group --location",
        "keyvault secret list-versions": "--vault-name --name",
        "keyvault secret recover": "--vault-name --name",
        "keyvault secret set": "--vault-name --name --file --encoding",
        "keyvault secret set-attributes": "--vault-name --name --version --enabled",
        "keyvault update": "--name --resource-group --public-network-access",
        "lock delete": "--ids",
        "lock list": "--resource-group",
        "login": "--tenant",
        "monitor activity-log list": "--resource-group --offset --max-events",
        "monitor log-analytics query": "--workspace --analytics-query",
        "monitor log-analytics workspace show": "--resource-group --workspace-name",
        "network nsg rule create": (
            "--nsg-name --resource-group --name --priority --access --protocol"
            " --source-address-prefixes --destination-port-ranges"
        ),
        "network nsg rule delete": "--nsg-name --resource-group --name",
        "network public-ip delete": "--name --resource-group",
        "provider register": "--namespace",
        "role assignment create": (
            "--role --scope --assignee --assignee-object-id --assignee-principal-type"
        ),
        "role assignment delete": "--role --scope --assignee",
        "role assignment list": "--scope --assignee --all",
        "role definition create": "--role-definition",
        "storage account network-rule add": "--account-name --resource-group --ip-address",
        "storage account network-rule remove": "--account-name --resource-group --ip-address",
        "storage account update": "--name --resource-group --public-network-access",
        "storage blob list": "--account-name --auth-mode --container-name --prefix",
        "storage entity merge": "--account-name --auth-mode --table-name --entity",
        "storage entity query": "--account-name --auth-mode --table-name --select --filter",
        "storage table create": "--name --account-name --auth-mode",
        "storage table delete": "--name --account-name --auth-mode",
        "vm create": (
            "--name --resource-group --location --image --size --subnet --nsg --assign-identity"
            " --admin-username --generate-ssh-keys --os-disk-delete-option --nic-delete-option"
        ),
        "vm delete": "--name --resource-group --yes",
    }.items()
}
_AZ_ANYWHERE: Final = frozenset({"--output", "--query", "--only-show-errors", "--help"})

# https://learn.microsoft.com/azure/developer/azure-developer-cli/reference
AZD: Final[Mapping[str, frozenset[str]]] = {
    "auth login": frozenset({"--tenant-id"}),
    "deploy": frozenset({"--from-package", "--no-prompt"}),
    "down": frozenset({"--purge"}),
    "env get-value": frozenset(),
    "env get-values": frozenset(),
    "env new": frozenset(),
    "env select": frozenset(),
    "env set": frozenset(),
    "package": frozenset({"--output-path"}),
    "provision": frozenset({"--preview", "--no-prompt"}),
    "up": frozenset({"--no-prompt"}),
}

# https://cli.github.com/manual
GH: Final[Mapping[str, frozenset[str]]] = {
    "api": frozenset({"--jq", "--method"}),
    "run download": frozenset({"--name", "--dir"}),
    "run list": frozenset({"--workflow", "--status", "--limit", "--branch"}),
    "run rerun": frozenset(),
    "run view": frozenset({"--log-failed", "--log"}),
    "run watch": frozenset(),
    "workflow disable": frozenset(),
    "workflow enable": frozenset(),
    "workflow run": frozenset({"--ref", "--field"}),
}

ORDINARY: Final = frozenset(
    [
        ".",
        "apt-get",
        "cat",
        "cd",
        "cp",
        "curl",
        "cut",
        "done",
        "for",
        "git",
        "jq",
        "mkdir",
        "openssl",
        "rm",
        "scp",
        "sed",
        "sha256sum",
        "sleep",
        "sort",
        "ssh",
        "sudo",
        "tar",
        "tr",
        "umask",
        "uniq",
        "unzip",
    ]
)
"""Programs that a machine has."""

_VARIABLES: Final = frozenset({"PORT", "DATA", "FILES"})  # what `make` takes here
_ELSEWHERE: Final = frozenset({"pytest", "venv"})  # modules of the environment, not of ours
_NOT_SHELL: Final = frozenset({"mermaid", "kql", "json", "text", "http", "html", "yaml", "bicep"})
# What `make run` prints, shown where it is described.
_PRINTED: Final = ("FlowRunner's local stack",)
_PROGRAM: Final = re.compile(r"(?:make|az|azd|gh|python3?|\.venv/bin/[\w.-]+)\s+\S")
_ASSIGNED: Final = re.compile(r"[A-Za-z_]\w*=\S*$")


def commands(text: str) -> list[str]:
    """Each simple command of the shell blocks, and of the spans that begin with one of ours."""
    found: list[str] = []
    for block in blocks(text):
        if block.info.split(" ")[0] in _NOT_SHELL or block.body.startswith(_PRINTED):
            continue
        joined = block.body.replace("\\\n", " ")
        for line in joined.splitlines():
            found += _simple(line)
    for span in spans(text):
        if _PROGRAM.match(span):
            found += _simple(span)
    return found


def faults(text: str) -> list[str]:
    """What is wrong with the commands of a document."""
    return [fault for command in commands(text) if (fault := fault_of(command))]


def fault_of(command: str) -> str | None:
    try:
        words = shlex.split(command, comments=True)
    except ValueError as exc:
        return f"{command}: {exc}"
    while words and (_ASSIGNED.match(words[0]) or words[0] == "do"):
        words = words[1:]
    if not words:
        return None
    program, *rest = words
    if program in _CHECKED:
        return _CHECKED[program](rest)
    if program in ORDINARY or program.startswith(".venv/bin/"):
        return None
    return f"{program}: no such program"


def _simple(line: str) -> Iterator[str]:
    """A line without its pipes and lists; a substitution is a command of its own."""
    for inner in re.findall(r"\$\(([^()]*)\)", line):
        yield from _simple(inner)
    line = re.sub(r"\$\([^()]*\)", "SUBSTITUTED", line)
    lexer = shlex.shlex(line, posix=False, punctuation_chars="|;&<>")
    lexer.whitespace_split = True
    lexer.commenters = "#"
    words: list[str] = []
    try:
        for word in lexer:
            if set(word) <= set("|;&"):
                yield " ".join(words)
                words = []
            else:
                words.append(word)
    except ValueError:  # an open quote: told by `fault_of`
        words = [line]
    if words:
        yield " ".join(words)


@cache
def make_targets() -> frozenset[str]:
    return frozenset(re.findall(r"^([a-z][\w-]*):", text_of(ROOT / "Makefile"), re.MULTILINE))


def _make_fault(words: list[str]) -> str | None:
    for word in words:
        name, assigned, _ = word.partition("=")
        if assigned and name not in _VARIABLES:
            return f"make: no variable {name}"
        if not assigned and word not in make_targets():
            return f"make: no target {word}"
    return None


def _python_fault(words: list[str]) -> str | None:
    if words[0] == "-m":
        path = words[1].replace(".", "/")
        is_ours = (ROOT / f"{path}.py").is_file() or (ROOT / path / "__main__.py").is_file()
        return None if is_ours or words[1] in _ELSEWHERE else f"python: no module {words[1]}"
    script = words[0] if "/" in words[0] else f"tools/{words[0]}"
    return None if (ROOT / script).is_file() else f"python: no script {words[0]}"


def _listed_fault(
    program: str, words: list[str], listed: Mapping[str, frozenset[str]]
) -> str | None:
    plain = list(words)
    for number, word in enumerate(words):
        if word.startswith("-"):
            plain = words[:number]
            break
    tried = (" ".join(plain[:count]) for count in range(len(plain), 0, -1))
    verb = next((one for one in tried if one in listed), None)
    if verb is None:
        return f"{program}: no command {' '.join(plain)}"
    allowed = listed[verb] | (_AZ_ANYWHERE if program == "az" else frozenset())
    options = (word.partition("=")[0] for word in words if word.startswith("-"))
    unknown = [option for option in options if option not in allowed]
    return f"{program} {verb}: no option {unknown[0]}" if unknown else None


_CHECKED: Final[Mapping[str, Callable[[list[str]], str | None]]] = {
    "make": _make_fault,
    "python": _python_fault,
    "python3": _python_fault,
    ".venv/bin/python": _python_fault,
    "az": partial(_listed_fault, "az", listed=AZ),
    "azd": partial(_listed_fault, "azd", listed=AZD),
    "gh": partial(_listed_fault, "gh", listed=GH),
}
