"""Route templates and their order: local/host_routes.py."""

import pytest

from local.host_routes import Route, RouteError, RouteMatch, RouteTable, Template

GUID = "7C1E5B9A-3f64-4d0e-9b7a-2f8d61c0a4e3"


def route(function: str, template: str, *methods: str) -> Route:
    parsed = Template.parse(template)
    return Route(function=function, template=parsed, methods=frozenset(methods) or None)


@pytest.mark.parametrize(
    ("template", "path", "parameters"),
    [
        ("api/v1/flows", "/api/v1/flows", {}),
        ("api/v1/flows", "/API/V1/Flows", {}),
        ("api/v1/flows", "/api/v1/flows/", {}),
        ("api/v1/flows", "/api/v1/flows//", None),
        ("api/v1/flows", "/api//v1/flows", None),
        ("api/v1/flows", "//api/v1/flows", None),
        ("api/v1/flows", "/api/v1/flows/x", None),
        ("api/v1/flows", "/api/v1", None),
        ("api/v1/flows", "/", None),
        ("api/{Flow}", "/api/Log_Email", {"Flow": "Log_Email"}),
        ("api/{flow}", "/api/", None),
        ("api/{flow}/runs", "/api//runs", None),
        ("api/{flow}", "/api/a%2Fb", {"flow": "a%2Fb"}),
        ("api/{flow?}", "/api", {}),
        ("api/{flow?}", "/api/x", {"flow": "x"}),
        ("api/{n:int}", "/api/-12", {"n": "-12"}),
        ("api/{n:int}", "/api/2147483648", None),
        ("api/{n:int}", "/api/1.0", None),
        ("api/{n:int}", "/api/٣", None),
        ("api/{n:int?}", "/api", {}),
        ("api/{word:alpha}", "/api/abC", {"word": "abC"}),
        ("api/{word:alpha}", "/api/a1", None),
        ("api/{id:guid}", f"/api/{GUID}", {"id": GUID}),
        ("api/{id:guid}", "/api/7c1e5b9a3f644d0e9b7a2f8d61c0a4e", None),
        ("api/{*rest}", "/api/a/b//c/", {"rest": "a/b//c/"}),
        ("api/{**rest}", "/api/a", {"rest": "a"}),
        ("api/{*rest}", "/api", {}),
        ("api/{*rest}", "/api//a", None),
    ],
)  # fmt: skip
def test_a_template_matches_as_asp_net_core_does(
    template: str, path: str, parameters: dict[str, str] | None
) -> None:
    assert Template.parse(template).match(path) == parameters


@pytest.mark.parametrize(
    "template",
    [
        "", "/v1", "v1/", "v1//x", "{a}.{b}", "x{a}", "{a", "{a:length(3)}", "{a:nope}", "{1a}",
        "{a}/{A}", "{a?}/b", "{*a}/b", "{a=1}",
    ],
)  # fmt: skip
def test_a_template_that_the_host_refuses_or_that_is_not_supported_is_refused(
    template: str,
) -> None:
    with pytest.raises(RouteError):
        Template.parse(template)


def test_a_literal_comes_before_a_constraint_before_a_parameter_before_a_catch_all() -> None:
    table = RouteTable(
        [
            route("d_rest", "api/{*rest}"),
            route("c_any", "api/{name}"),
            route("b_number", "api/{number:int}"),
            route("a_export", "api/export"),
        ]
    )

    assert table.find("GET", "/api/EXPORT") == RouteMatch("a_export", {})
    assert table.find("GET", "/api/7") == RouteMatch("b_number", {"number": "7"})
    assert table.find("GET", "/api/seven") == RouteMatch("c_any", {"name": "seven"})
    assert table.find("GET", "/api/seven/eight") == RouteMatch("d_rest", {"rest": "seven/eight"})


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("api/{id}", "api/export"),
        ("api/{id}", "api/{number:int}"),
        ("api/{*rest}", "api/v1/health"),
        ("api/{id?}", "api"),
        ("api/runs/{id}", "api/runs/{name}"),
        ("api/{a}/b", "api/a/{b}"),
    ],
)
def test_a_route_that_would_hide_a_better_one_in_azure_is_refused(earlier: str, later: str) -> None:
    RouteTable([route("a", later), route("b", "other/" + earlier)])

    with pytest.raises(RouteError, match="in the order of their names"):
        RouteTable([route("b_later", later), route("a_earlier", earlier)])


@pytest.mark.parametrize(
    ("earlier", "later"),
    [("api/{n:int}", "api/export"), ("api/{a}/x", "api/{a}"), ("api/a/{b}", "api/c/{b}")],
)
def test_routes_that_share_no_path_may_have_any_names(earlier: str, later: str) -> None:
    RouteTable([route("a", earlier), route("b", later)])


def test_the_method_decides_between_routes_and_a_wrong_one_finds_nothing() -> None:
    table = RouteTable(
        [
            route("cors_preflight", "api/{*path}", "OPTIONS"),
            route("flow_invoke", "api/flows/{flow}/runs", "POST"),
            route("flow_list", "api/flows", "GET", "HEAD"),
        ]
    )

    assert table.find("GET", "/api/flows") == RouteMatch("flow_list", {})
    assert table.find("get", "/api/flows") == RouteMatch("flow_list", {})
    assert table.find("OPTIONS", "/api/flows") == RouteMatch("cors_preflight", {"path": "flows"})
    assert table.find("DELETE", "/api/flows") is None
    assert table.find("GET", "/api/flows/x/runs") is None


@pytest.mark.parametrize("template", ["admin/x", "Runtime/{x}", "{x}", "{*x}"])
def test_a_route_in_the_hosts_own_space_is_refused(template: str) -> None:
    with pytest.raises(RouteError, match="belongs to the host"):
        RouteTable([route("mine", template)])
