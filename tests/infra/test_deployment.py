"""What templates come to: modules followed, loops laid out, known conditions decided."""

from pathlib import Path

import pytest

from tools.infra.deployment import Deployment
from tools.infra.folder import load
from tools.infra.frames import CycleError

INNER = """
param prefix string
param kinds array = ['a', 'b']
param wanted bool

resource thing 'Test.Kinds/things@2024-01-01' = [for (kind, i) in kinds: if (wanted) {
  name: '${prefix}-${kind}${i}'
  properties: union({ kind: kind }, wanted ? { extra: true } : {})
}]

resource one 'Test.Kinds/ones@2024-01-01' = {
  name: '${prefix}-one'
}

output address string = one.properties.address
output name string = one.name
"""

OUTER = """
param location string
param wanted bool = true
var prefix = toLower('MAIN')

module inner 'inner.bicep' = {
  name: 'inner'
  params: {
    prefix: prefix
    wanted: wanted
  }
}

resource found 'Test.Kinds/ones@2024-01-01' existing = {
  name: inner.outputs.name
}

resource never 'Test.Kinds/ones@2024-01-01' = if (false) {
  name: 'never'
}

resource user 'Test.Kinds/users@2024-01-01' = {
  name: 'user'
  location: location
  scope: found
  properties: {
    address: inner.outputs.address
    known: empty(prefix) ? 'nothing' : 'something'
    open: wanted ? 'on' : 'off'
    '${prefix}-key': 1
  }
}
"""


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    (tmp_path / "main.bicep").write_text(OUTER, encoding="utf-8")
    (tmp_path / "inner.bicep").write_text(INNER, encoding="utf-8")
    return Deployment(load(tmp_path), "main.bicep")


def test_a_loop_over_known_items_is_laid_out(deployment: Deployment) -> None:
    things = list(deployment.created("Test.Kinds/things"))

    assert [one.name for one in things] == ["main-a0", "main-b1"]
    assert [str(one.conditions[0]) for one in things] == ["wanted", "wanted"]


def test_a_choice_within_a_union_leaves_two_outcomes(deployment: Deployment) -> None:
    first = next(deployment.created("Test.Kinds/things"))

    assert {str(one) for one in first.outcomes("properties.extra")} == {"true", "None"}
    assert {str(one) for one in first.outcomes("properties.kind")} == {"'a'"}


def test_what_is_never_deployed_is_not_there(deployment: Deployment) -> None:
    assert [one.name for one in deployment.created("Test.Kinds/ones")] == ["main-one"]


def test_an_existing_resource_is_the_one_that_another_module_makes(deployment: Deployment) -> None:
    (user,) = deployment.created("Test.Kinds/users")
    target = deployment.target(user.get("scope"))

    assert target is not None
    assert target.key == "inner/one"


def test_outputs_variables_and_keys_are_followed_to_the_end(deployment: Deployment) -> None:
    (user,) = deployment.created("Test.Kinds/users")

    assert str(user.get("properties")) == (
        "{ address: <inner/one>.properties.address, known: 'something', "
        "open: wanted ? 'on' : 'off', main-key: 1 }"
    )


def test_parameters_of_the_deployed_template_stay_open(deployment: Deployment) -> None:
    (user,) = deployment.created("Test.Kinds/users")

    assert [str(one) for one in user.outcomes("properties.open")] == ["'on'", "'off'"]
    assert str(user.get("location")) == "location"


def test_a_symbol_made_of_itself_is_refused(tmp_path: Path) -> None:
    (tmp_path / "main.bicep").write_text(
        "var a = '${b}'\nvar b = a\nresource r 'T.K/r@2024-01-01' = {\n  name: a\n}\n",
        encoding="utf-8",
    )
    deployment = Deployment(load(tmp_path), "main.bicep")

    with pytest.raises(CycleError):
        list(deployment.resources)


@pytest.mark.parametrize(
    ("first", "then", "merged"),
    [
        ("{ a: { b: 1, c: 2 } }", "{ a: { c: 3 } }", "{ a: { b: 1, c: 3 } }"),
        ("{ a: { b: { c: 1 } } }", "{ a: { b: { d: 2 } } }", "{ a: { b: { c: 1, d: 2 } } }"),
        ("{ a: [1] }", "{ a: [2] }", "{ a: [2] }"),
        ("{ a: { b: 1 } }", "{ a: 'text' }", "{ a: 'text' }"),
        (
            "{ a: { b: 1 } }",
            "{ a: wanted ? { c: 2 } : {} }",
            "{ a: wanted ? { b: 1, c: 2 } : { b: 1 } }",
        ),
        ("{ a: { b: 1 } }", "{ a: open }", "{ a: union({ b: 1 }, open) }"),
    ],
)
def test_a_union_merges_objects_within_objects(
    tmp_path: Path, first: str, then: str, merged: str
) -> None:
    (tmp_path / "main.bicep").write_text(
        "param wanted bool\nparam open object\n"
        "resource r 'T.K/r@2024-01-01' = {\n  name: 'r'\n"
        f"  properties: union({first}, {then})\n}}\n",
        encoding="utf-8",
    )
    (one,) = Deployment(load(tmp_path), "main.bicep").resources

    assert str(one.get("properties")) == merged
