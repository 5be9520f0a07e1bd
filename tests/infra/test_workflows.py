"""The workflows are as they must be, and each check of that has been seen to fail.

Nothing here has met GitHub: the workflows are read as text.
"""

from collections.abc import Sequence
from typing import Final

import pytest

from tests.infra import workflow_checks as checks
from tests.infra.workflow_checks import CHECKS, CI, DEPLOY, ROOT, Check, text_of


def test_there_is_no_workflow_that_nobody_checks() -> None:
    there = {str(path.relative_to(ROOT)) for path in (ROOT / ".github/workflows").iterdir()}

    assert there == set(CHECKS)


@pytest.mark.parametrize(
    ("path", "check"), [(path, check) for path, listed in CHECKS.items() for check in listed]
)
def test_the_workflows_are_as_they_must_be(path: str, check: Check) -> None:
    assert list(check(text_of(path))) == []


# --- and each check sees its fault ---------------------------------------------------------------

CHECKOUT: Final = "@de0fac2e4500dabe0009e67214ff5f5447ce83dd # v6.0.2"
MUTANTS: Final[Sequence[tuple[str, Check, str, str]]] = [
    (CI, checks.actions_are_pinned, CHECKOUT, "@v6"),
    (CI, checks.actions_are_pinned, CHECKOUT, CHECKOUT.partition(" ")[0]),
    (CI, checks.actions_are_pinned, CHECKOUT, CHECKOUT.replace("de0", "de1")),
    (DEPLOY, checks.actions_are_pinned, "azure/login@", "somebody/login@"),
    (CI, checks.rights_are_least, "permissions: {}", "permissions: write-all"),
    (CI, checks.rights_are_least, "      contents: read", "      contents: write"),
    (CI, checks.rights_are_least, "      contents: read # the source", "      id-token: write"),
    (CI, checks.rights_are_least, "    permissions:\n      contents: read # the source\n", ""),
    (DEPLOY, checks.rights_are_least, "      actions: read", "      actions: write"),
    (CI, checks.jobs_end, "    timeout-minutes: 60\n", ""),
    (DEPLOY, checks.jobs_end, "    timeout-minutes: 20\n", "    timeout-minutes: 360\n"),
    (CI, checks.machines_are_named, "ubuntu-24.04", "ubuntu-latest"),
    (DEPLOY, checks.machines_are_named, "ubuntu-24.04", "self-hosted"),
    (DEPLOY, checks.no_secret_is_used, "vars.AZURE_CLIENT_ID", "secrets.AZURE_CLIENT_ID"),
    (DEPLOY, checks.no_secret_is_used, "${{ github.token }}", "${{ secrets['GITHUB_TOKEN'] }}"),
    (
        DEPLOY,
        checks.nothing_foreign_is_run,
        '"bicep/deployments/$DEPLOYMENT',
        '"${{ inputs.deployment }}',
    ),
    (
        CI,
        checks.nothing_foreign_is_run,
        "run: .ci/run",
        "run: .ci/run ${{ github.event.head_commit.id }}",
    ),
    (
        CI,
        checks.checkouts_leave_no_token,
        "persist-credentials: false",
        "persist-credentials: true",
    ),
    (CI, checks.checkouts_leave_no_token, "persist-credentials: false", "fetch-depth: 1"),
    (CI, checks.scripts_are_bash, "          done\n", ""),
    (DEPLOY, checks.scripts_are_bash, "          } >>", "          >>"),
    (DEPLOY, checks.runs_do_not_cross, "concurrency:", "x-concurrency:"),
    (DEPLOY, checks.failures_stop_a_pipe, "shell: bash", "shell: sh"),
    (CI, checks.python_is_the_deployed_one, 'python-version: "3.13"', 'python-version: "3.12"'),
    (CI, checks.python_is_the_deployed_one, 'python-version: "3.13"', "python-version: 3.13"),
    (CI, checks.node_runs_azurite, 'node-version: "22"', 'node-version: "18"'),
    (DEPLOY, checks.what_is_named_exists, "tools/smoke_test.py", "tools/smoke.py"),
    (DEPLOY, checks.what_is_named_exists, "docs/runbooks/deploy.md", "docs/runbooks/release.md"),
    (DEPLOY, checks.what_is_named_exists, "make package", "make parcel"),
    (DEPLOY, checks.what_is_named_exists, "bicep/main.bicep", "bicep/azure.bicep"),
    (CI, checks.templates_are_compiled_by_one_bicep, "BICEP_VERSION: v0.", "BICEP_VERSION: v1."),
    (DEPLOY, checks.templates_are_compiled_by_one_bicep, "BICEP_SHA256: 3", "BICEP_SHA256: 4"),
    (
        DEPLOY,
        checks.templates_are_compiled_by_one_bicep,
        " | sha256sum --check\n          chmod",
        "\n          chmod",
    ),
    (CI, checks.ci_runs_on_every_change, "  push:\n", "  push:\n    branches: [main]\n"),
    (CI, checks.ci_runs_on_every_change, "  pull_request:\n", "  pull_request_target:\n"),
    (CI, checks.ci_runs_the_readmes_script, "run: .ci/run", "run: make test"),
    (CI, checks.ci_compiles_and_judges_the_templates, " && [ ! -s dist/diagnostics.txt ]", ""),
    (CI, checks.ci_compiles_and_judges_the_templates, "main modules/stack", "main"),
    (CI, checks.ci_compiles_and_judges_the_templates, "-RequiredVersion 1", "-MinimumVersion 1"),
    (CI, checks.ci_compiles_and_judges_the_templates, "Assert-PSRule", "Invoke-PSRule"),
    (DEPLOY, checks.only_people_deploy, "  workflow_dispatch:", "  push:\n  workflow_dispatch:"),
    (DEPLOY, checks.steps_come_in_order, "needs: [build, preview]", "needs: build"),
    (DEPLOY, checks.steps_come_in_order, "needs: [build, deploy]", "needs: build"),
    (DEPLOY, checks.steps_come_in_order, "    needs: build\n", ""),
    (
        DEPLOY,
        checks.steps_come_in_order,
        "    needs: build\n",
        "    needs: build\n    if: always()\n",
    ),
    (DEPLOY, checks.approval_is_asked_for, "    environment: ${{ inputs.deployment }} #", "    #"),
    (DEPLOY, checks.approval_is_asked_for, "-preview\n", "\n"),
    (DEPLOY, checks.approval_is_asked_for, "sub what-if", "sub create"),
    (DEPLOY, checks.inputs_are_checked_first, "=~ ^[a-z0-9-]+$", "=~ ^.+$"),
    (DEPLOY, checks.inputs_are_checked_first, '          [[ "$ARTIFACT_RUN" =~ ^[0-9]*$ ]]\n', ""),
    (DEPLOY, checks.ci_has_passed, '[ "$passed" -gt 0 ]', "true"),
    (
        DEPLOY,
        checks.what_is_deployed_was_previewed,
        "--template-file dist/main.json",
        "--template-file x",
    ),
    (
        DEPLOY,
        checks.what_is_deployed_was_previewed,
        '"@bicep/deployments/$DEPLOYMENT.json"',
        '"@x"',
    ),
    (DEPLOY, checks.what_is_deployed_was_previewed, "sub create --name", "sub create --tags"),
    (DEPLOY, checks.what_is_deployed_was_previewed, "az deployment sub what-if", "bicep build; az"),
    (DEPLOY, checks.what_is_deployed_was_previewed, '} >> "$GITHUB_STEP_SUMMARY"', "}"),
    (DEPLOY, checks.the_package_is_the_built_one, " --build-remote false", ""),
    (DEPLOY, checks.the_package_is_the_built_one, "--build-remote false", "--build-remote true"),
    (DEPLOY, checks.the_package_is_the_built_one, 'run: echo "$SHA256  dist', 'run: echo "x  dist'),
    (DEPLOY, checks.the_package_is_the_built_one, "needs.build.outputs.sha256", "inputs.sha256"),
    (DEPLOY, checks.a_release_can_be_deployed_again, '[ "$origin" = ', '[ "$origin" != '),
    (DEPLOY, checks.a_release_can_be_deployed_again, ".head_branch, ", ""),
    (DEPLOY, checks.a_release_can_be_deployed_again, "REPOSITORY success", "REPOSITORY"),
    (DEPLOY, checks.a_release_can_be_deployed_again, "length == 1 and ", ""),
    (DEPLOY, checks.a_release_can_be_deployed_again, "--is-ancestor", "--all"),
    (DEPLOY, checks.a_release_can_be_deployed_again, '"$GITHUB_REF" = refs', '"$GITHUB_REF" != x'),
    (DEPLOY, checks.a_release_can_be_deployed_again, "inputs.artifact_run == ''", "true"),
    (DEPLOY, checks.a_release_can_be_deployed_again, "inputs.artifact_run != ''", "true"),
    (DEPLOY, checks.a_release_can_be_deployed_again, "retention-days: 90", "retention-days: 1"),
    (DEPLOY, checks.it_is_tried_out, " --functions -", ""),
    (DEPLOY, checks.it_is_tried_out, "          ref: ${{ needs.build.outputs.commit }}\n", ""),
    (DEPLOY, checks.outputs_are_the_templates, "PUBLIC_BASE_URL", "BASE_URL"),
    (DEPLOY, checks.outputs_are_the_templates, "ascii_upcase", "tostring"),
]


@pytest.mark.parametrize(("path", "check", "was", "becomes"), MUTANTS)
def test_a_workflow_that_is_worse_is_found(path: str, check: Check, was: str, becomes: str) -> None:
    text = text_of(path)
    assert was in text

    assert list(check(text.replace(was, becomes))) != []


def test_every_check_has_been_seen_to_fail() -> None:
    assert {check for _, check, _, _ in MUTANTS} == {c for cs in CHECKS.values() for c in cs}
