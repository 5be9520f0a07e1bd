"""What a workflow has to be: what may run, with what rights, in which order, and that it is there.

Each check is a function of a workflow's text, so that test_workflows.py can see it fail.
"""

import re
import subprocess
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, TypedDict, cast

import yaml

ROOT: Final = Path(__file__).parent.parent.parent
CI: Final = ".github/workflows/ci.yml"
DEPLOY: Final = ".github/workflows/deploy.yml"

# Another one is a decision: it runs with the rights of its job.
ACTIONS: Final = frozenset(
    {
        "actions/checkout",
        "actions/setup-python",
        "actions/setup-node",
        "actions/upload-artifact",
        "actions/download-artifact",
        "azure/login",
    }
)

Step = TypedDict(
    "Step",
    {
        "name": str,
        "id": str,
        "if": str,
        "uses": str,
        "run": str,
        "shell": str,
        "with": dict[str, object],
    },
    total=False,
)
Job = TypedDict(
    "Job",
    {
        "needs": str | list[str],
        "environment": str,
        "permissions": dict[str, str],
        "timeout-minutes": int,
        "runs-on": str,
        "env": dict[str, str],
        "steps": list[Step],
    },
    total=False,
)
type Check = Callable[[str], Iterator[str]]
"""What is wrong with the text of a workflow, a line each."""


def text_of(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def top(text: str) -> Mapping[object, object]:
    return cast("Mapping[object, object]", yaml.safe_load(text))


def jobs_of(text: str) -> Mapping[str, Job]:
    return cast("Mapping[str, Job]", top(text)["jobs"])


def steps_of(text: str) -> Iterator[tuple[str, Step]]:
    for name, job in jobs_of(text).items():
        for step in job["steps"]:
            yield name, step


def needs_of(job: Job) -> Sequence[str]:
    needs = job.get("needs", [])
    return [needs] if isinstance(needs, str) else needs


def scripts_of(text: str, job: str) -> str:
    """Everything that a job runs; a command that goes on in the next line is one line."""
    whole = "\n".join(step.get("run", "") for name, step in steps_of(text) if name == job)
    return re.sub(r"\\\n\s*", "", whole)


# --- of every workflow ---------------------------------------------------------------------------


def actions_are_pinned(text: str) -> Iterator[str]:
    """By commit, for a tag can be moved; with the version that people and Dependabot read; and the
    same in every workflow."""
    pins: dict[str, str] = {}
    for source in (text_of(CI), text_of(DEPLOY), text):
        used = re.findall(r"^ *(?:- )?uses: *(.*)$", source, re.MULTILINE)
        if len(used) != sum("uses" in step for _, step in steps_of(source)):
            yield "an action is used that this check does not see"
        for line in used:
            pinned = re.fullmatch(r"([\w/-]+)@([0-9a-f]{40} # v\d+\.\d+\.\d+)", line)
            if pinned is None or pinned[1] not in ACTIONS:
                yield f"not by commit with its version, or not a known action: {line}"
            elif pins.setdefault(pinned[1], pinned[2]) != pinned[2]:
                yield f"two versions of {pinned[1]}"


def rights_are_least(text: str) -> Iterator[str]:
    """None for the workflow; for each job what it needs, and nothing that changes the source."""
    if top(text).get("permissions") != {}:
        yield "the workflow's own permissions are not empty"
    for name, job in jobs_of(text).items():
        if "permissions" not in job:
            yield f"{name} names no permissions"
        for right, degree in job.get("permissions", {}).items():
            signs_in = any("azure/login" in step.get("uses", "") for step in job["steps"])
            if right == "id-token" and (degree, signs_in) != ("write", True):
                yield f"{name} may have a token signed, and does not sign in to Azure"
            if right != "id-token" and degree != "read":
                yield f"{name} may write {right}"


def jobs_end(text: str) -> Iterator[str]:
    for name, job in jobs_of(text).items():
        if not 0 < job.get("timeout-minutes", 0) <= 60:
            yield f"{name} has no deadline"


def machines_are_named(text: str) -> Iterator[str]:
    """Not `latest`, which is another machine one day."""
    for name, job in jobs_of(text).items():
        if not re.fullmatch(r"ubuntu-\d\d\.04", job.get("runs-on", "")):
            yield f"{name} runs on {job.get('runs-on')}"


def no_secret_is_used(text: str) -> Iterator[str]:
    """There is none to steal: Azure takes GitHub's signature, GitHub its own token."""
    yield from re.findall(r"\bsecrets\b[.\[][^}\s]*", text)


def nothing_foreign_is_run(text: str) -> Iterator[str]:
    """A script with an expression in it is a script that others may write."""
    for name, step in steps_of(text):
        if "${{" in step.get("run", ""):
            yield f"{name}: {step['run']}"


def scripts_are_bash(text: str) -> Iterator[str]:
    """Read by bash, not run."""
    for name, step in steps_of(text):
        if step.get("shell", "bash") == "bash" and "run" in step:
            command = ["bash", "-n", "-c", step["run"]]
            read = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
            if read.returncode or read.stderr:
                yield f"{name}: {read.stderr}"


def checkouts_leave_no_token(text: str) -> Iterator[str]:
    for name, step in steps_of(text):
        kept = step.get("with", {}).get("persist-credentials")
        if step.get("uses", "").startswith("actions/checkout@") and kept is not False:
            yield f"{name} leaves GitHub's token in the tree"


def runs_do_not_cross(text: str) -> Iterator[str]:
    if "concurrency" not in top(text):
        yield "two runs of it may meet"


def failures_stop_a_pipe(text: str) -> Iterator[str]:
    """Only with `shell: bash` does GitHub set pipefail."""
    if top(text).get("defaults") != {"run": {"shell": "bash"}}:
        yield "a failure in the middle of a pipe passes"


def python_is_the_deployed_one(text: str) -> Iterator[str]:
    wanted = tomllib.loads(text_of("pyproject.toml"))["project"]["requires-python"]
    for name, step in steps_of(text):
        if step.get("uses", "").startswith("actions/setup-python@"):
            version = step.get("with", {}).get("python-version")
            if not isinstance(version, str) or not wanted.startswith(f">={version},"):
                yield f"{name} takes Python {version}"


def node_runs_azurite(text: str) -> Iterator[str]:
    oldest = int(re.findall(r"NODE_OLDEST=(\d+)", text_of("local/bootstrap.sh"))[0])
    for name, step in steps_of(text):
        if step.get("uses", "").startswith("actions/setup-node@"):
            version = str(step.get("with", {}).get("node-version"))
            if not version.isdecimal() or int(version) < oldest:
                yield f"{name} takes Node {version}"


def what_is_named_exists(text: str) -> Iterator[str]:
    """Files of the tree, in scripts and comments, and targets of the Makefile."""
    said = text.replace("<name>", "westeurope.example").replace("$DEPLOYMENT", "westeurope.example")
    for path in re.findall(r"(?<![\w$/.-])(?:bicep|docs|tools|\.ci|\.github)/[\w./-]*\w", said):
        if not (ROOT / path).is_file():
            yield f"there is no {path}"
    for target in re.findall(r"\bmake ([a-z-]+)", text):
        if not re.search(rf"^{target}:", text_of("Makefile"), re.MULTILINE):
            yield f"there is no make {target}"


def templates_are_compiled_by_one_bicep(text: str) -> Iterator[str]:
    """One version, whose bytes are known: what CI compiled is what a deployment compiles."""
    pins = {
        (job["env"]["BICEP_VERSION"], job["env"]["BICEP_SHA256"])
        for source in (text, text_of(CI), text_of(DEPLOY))
        for job in jobs_of(source).values()
        if "BICEP_VERSION" in job.get("env", {})
    }
    if len(pins) != 1 or not re.fullmatch(r"[0-9a-f]{64}", next(iter(pins))[1]):
        yield f"there is not one Bicep: {pins}"
    for name in jobs_of(text):
        script = scripts_of(text, name)
        fetched = re.search(r"curl .*\n.*\$BICEP_SHA256 .*\| sha256sum --check\n", script)
        if "bicep build" in script and not fetched:
            yield f"{name} runs a Bicep that it did not check"


EVERYWHERE: Final[tuple[Check, ...]] = (
    actions_are_pinned,
    rights_are_least,
    jobs_end,
    machines_are_named,
    no_secret_is_used,
    nothing_foreign_is_run,
    scripts_are_bash,
    checkouts_leave_no_token,
    runs_do_not_cross,
    failures_stop_a_pipe,
    python_is_the_deployed_one,
    node_runs_azurite,
    what_is_named_exists,
    templates_are_compiled_by_one_bicep,
)

# --- of CI ---------------------------------------------------------------------------------------


def ci_runs_on_every_change(text: str) -> Iterator[str]:
    # YAML 1.1, which PyYAML reads, takes the key `on` for true.
    if top(text).get(True) != {"push": None, "pull_request": None}:
        yield "not on every push and pull request"


def ci_runs_the_readmes_script(text: str) -> Iterator[str]:
    if ".ci/run" not in scripts_of(text, "test").splitlines():
        yield "the job `test` does not run .ci/run"
    for target in ("lint", "infra", "package", "test"):
        if not re.search(rf"^make {target}$", text_of(".ci/run"), re.MULTILINE):
            yield f".ci/run does not make {target}"


def ci_compiles_and_judges_the_templates(text: str) -> Iterator[str]:
    script = scripts_of(text, "infra")
    for wanted in (
        "for template in main modules/stack; do",
        "bicep build ",
        "[ ! -s dist/diagnostics.txt ]",  # a warning is a failure
        "--diagnostics-format sarif",
        "[.runs[].results[]] | length == 0",
        "Install-Module PSRule -RequiredVersion ",
        "Install-Module PSRule.Rules.Azure -RequiredVersion ",
        "Assert-PSRule ",
        "-Option ps-rule.yaml",
        "-Baseline Azure.GA_",
    ):
        if wanted not in script:
            yield f"the job `infra` does not: {wanted}"


# --- of the deployment ---------------------------------------------------------------------------


def only_people_deploy(text: str) -> Iterator[str]:
    events = cast("Mapping[str, object]", top(text).get(True))
    if list(events) != ["workflow_dispatch"]:
        yield f"it is started by {list(events)}"


def steps_come_in_order(text: str) -> Iterator[str]:
    """Built, previewed, approved, deployed, tried out: none without the one before."""
    jobs = jobs_of(text)
    if list(jobs) != ["build", "preview", "deploy", "smoke"]:
        yield f"the jobs are {list(jobs)}"
    for name, earlier in (("preview", "build"), ("deploy", "preview"), ("smoke", "deploy")):
        if earlier not in needs_of(jobs.get(name, Job())):
            yield f"{name} does not wait for {earlier}"
    if any("if" in job for job in jobs.values()):
        yield "a job may be passed over"


def approval_is_asked_for(text: str) -> Iterator[str]:
    """The environment with reviewers belongs to the one job that changes anything."""
    wanted = {
        "build": None,
        "preview": "${{ inputs.deployment }}-preview",
        "deploy": "${{ inputs.deployment }}",
        "smoke": "${{ inputs.deployment }}-preview",
    }
    for name, job in jobs_of(text).items():
        if job.get("environment") != wanted.get(name):
            yield f"{name} is in the environment {job.get('environment')}"
        changes = re.search(r"\b(create|delete|update|config-zip|set)\b", scripts_of(text, name))
        if changes and name != "deploy":
            yield f"{name} changes something: {changes[0]}"


def inputs_are_checked_first(text: str) -> Iterator[str]:
    first = jobs_of(text)["build"]["steps"][0].get("run", "")
    for wanted in (
        '[[ "$DEPLOYMENT" =~ ^[a-z0-9-]+$ ]]',
        '[[ "$ARTIFACT_RUN" =~ ^[0-9]*$ ]]',
    ):
        if wanted not in first.splitlines():
            yield f"not checked before anything else: {wanted}"


def ci_has_passed(text: str) -> Iterator[str]:
    if (
        "gh run list" not in (script := scripts_of(text, "build"))
        or '"$passed" -gt 0' not in script
    ):
        yield "a commit is deployed that CI has not passed"


def what_is_deployed_was_previewed(text: str) -> Iterator[str]:
    """One template, compiled once; the same parameters; the name too, by which what-if compares."""
    arguments = (
        '--name "flowrunner-$DEPLOYMENT" --location "$location" --template-file dist/main.json'
        ' --parameters "@bicep/deployments/$DEPLOYMENT.json" --'
    )
    if f"az deployment sub what-if {arguments}" not in scripts_of(text, "preview"):
        yield "not this is previewed"
    if f"az deployment sub create {arguments}" not in scripts_of(text, "deploy"):
        yield "not this is deployed"
    for name in ("preview", "deploy"):
        if "bicep build" in scripts_of(text, name):
            yield f"{name} compiles a template of its own"
    if "GITHUB_STEP_SUMMARY" not in scripts_of(text, "preview"):
        yield "the preview is not shown"


def the_package_is_the_built_one(text: str) -> Iterator[str]:
    script = scripts_of(text, "deploy")
    checked = script.find('echo "$SHA256  dist/flowrunner.zip" | sha256sum --check')
    sent = script.find("az functionapp deployment source config-zip")
    if not -1 < checked < sent:
        yield "the package is sent without a look at its hash"
    if script.find("az deployment sub create") > sent:
        yield "the package comes before its app"
    if not re.search(r"config-zip .*--src dist/flowrunner\.zip --build-remote false", script):
        yield "Azure builds the package anew"  # the CLI's default for Python on Flex Consumption
    if jobs_of(text)["deploy"].get("env", {}).get("SHA256") != (
        "${{ needs.build.outputs.sha256 }}"
    ):
        yield "the hash does not come from the job `build`"


def a_release_can_be_deployed_again(text: str) -> Iterator[str]:
    """Of a run of this very workflow, on main, that succeeded: anybody who may push a branch can
    run a changed copy of it there, and store something named `package`."""
    script = scripts_of(text, "build")
    this = ".github/workflows/deploy.yml"
    for wanted in (
        "[.path, .event, .head_branch, .head_repository.full_name, .conclusion]",
        f'[ "$origin" = "{this} workflow_dispatch main $GITHUB_REPOSITORY success" ]',
    ):
        if wanted not in script:
            yield "the package may come from any run"
    if "length == 1 and .[0].modified == false" not in script:
        yield "a second document hides behind the first"
    if 'git merge-base --is-ancestor "$commit" "$GITHUB_SHA"' not in script:
        yield "the package may be of any commit"
    if '[ "$GITHUB_REF" = refs/heads/main ]' not in script:
        yield "any branch may be deployed"
    if "make package" not in script:
        yield "no package is made"
    steps = jobs_of(text)["build"]["steps"]
    conditions = {step.get("name"): step.get("if") for step in steps}
    if conditions.get("A new package") != "${{ inputs.artifact_run == '' }}":
        yield "a package is made even if an earlier one was asked for"
    if conditions.get("Its package") != "${{ inputs.artifact_run != '' }}":
        yield "an earlier package is fetched even if none was asked for"
    kept = [s.get("with", {}) for s in steps if s.get("name") == "Keep the package"]
    if not kept or kept[0].get("retention-days") != 90:
        yield "the package is not kept for the 90 days that the documents name"


def it_is_tried_out(text: str) -> Iterator[str]:
    if not re.search(
        r'az functionapp function list .*--query "\[\]\.name" --output tsv'
        r' \| python tools/smoke_test\.py "\$PUBLIC_BASE_URL" --functions -( |$)',
        scripts_of(text, "smoke"),
    ):
        yield "nobody looks whether the functions are there"
    tree = jobs_of(text)["smoke"]["steps"][0].get("with", {}).get("ref")
    if tree != "${{ needs.build.outputs.commit }}":
        yield "the test compares with another tree than the package's"


def outputs_are_the_templates(text: str) -> Iterator[str]:
    known = set(re.findall(r"^output (\w+) ", text_of("bicep/main.bicep"), re.MULTILINE))
    for name in re.findall(r'of\("(\w+)"\)', scripts_of(text, "deploy")):
        if name not in known:
            yield f"the template has no output {name}"
    if "ascii_upcase" not in scripts_of(text, "deploy"):
        yield "Azure's case of the outputs' names is taken for ours"


CHECKS: Final[Mapping[str, tuple[Check, ...]]] = {
    CI: (
        *EVERYWHERE,
        ci_runs_on_every_change,
        ci_runs_the_readmes_script,
        ci_compiles_and_judges_the_templates,
    ),
    DEPLOY: (
        *EVERYWHERE,
        only_people_deploy,
        steps_come_in_order,
        approval_is_asked_for,
        inputs_are_checked_first,
        ci_has_passed,
        what_is_deployed_was_previewed,
        the_package_is_the_built_one,
        a_release_can_be_deployed_again,
        it_is_tried_out,
        outputs_are_the_templates,
    ),
}
