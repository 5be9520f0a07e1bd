"""Reads an org from the control surface's JSON into the simulator's own types."""

import re
from typing import Final, cast, get_args

from local.simulators.salesforce.ids import is_id
from local.simulators.salesforce.json_fields import Fields
from local.simulators.salesforce.orgs import Behaviour, Flow, Kind, Org, User, people
from local.simulators.salesforce.orgs_at_start import USERS
from local.simulators.salesforce.variables import TYPES, Variable

# https://help.salesforce.com/s/articleView?id=xcloud.domain_name_url_formats.htm&type=5
_HOST: Final = re.compile(
    r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.sandbox)?\.my\.salesforce\.com"
)
_FLOW_NAME: Final = re.compile(r"(?:[A-Za-z][A-Za-z0-9]{0,14}__)?[A-Za-z](?:_?[A-Za-z0-9])*")
_VARIABLE_NAME: Final = re.compile(r"[A-Za-z](?:_?[A-Za-z0-9])*")
_LONG_ID: Final = 18


def read_org(fields: Fields) -> Org:
    """Raises `ValueError`, with a sentence about what is wrong."""
    org_id = fields.text("org_id")
    if not org_id.startswith("00D") or len(org_id) != _LONG_ID or not is_id(org_id):
        raise ValueError("org_id must be an 18-character id that begins with 00D")
    host = fields.text("instance_host")
    if not _HOST.fullmatch(host):
        raise ValueError("instance_host must be a My Domain")
    flows = [_flow(each) for each in fields.objects("flows")]
    apps = fields.optional_texts("lightning_out_apps")
    org = Org(
        org_id=org_id,
        instance_host=host,
        users=_users(org_id, host, fields),
        flows={flow.name: flow for flow in flows},
        rotation=fields.flag("rotation", default=True),
        query_batch=fields.whole("query_batch", default=2000),
        api_limit=fields.whole("api_limit", default=1_000_000),
        lightning_out=fields.flag("lightning_out", default=True),
        lightning_out_apps=None if apps is None else frozenset(apps),
    )
    fields.done()
    if apps is not None and not org.lightning_out:
        raise ValueError("an org without Lightning Out 2.0 has no lightning_out_apps")
    return org


def _users(org_id: str, host: str, fields: Fields) -> dict[str, User]:
    """`users` are active, `inactive_users` are not."""
    active = fields.optional_texts("users")
    users = people(org_id, host, USERS if active is None else active)
    for name, user in people(org_id, host, fields.optional_texts("inactive_users") or ()).items():
        users[name] = User(name=name, user_id=user.user_id, username=user.username, active=False)
    return users


def _flow(fields: Fields) -> Flow:
    name = fields.text("name")
    if not _FLOW_NAME.fullmatch(name):
        raise ValueError(f"{name!r} cannot be the API name of a Flow")
    allowed = fields.optional_texts("users")
    behaviour = _one_of("behaviour", fields.text("behaviour", default="echo"), Behaviour)
    flow = Flow(
        name=name,
        label=fields.text("label", default=name),
        kind=cast("Kind", _one_of("kind", fields.text("kind", default="autolaunched"), Kind)),
        inputs=tuple(_variable(each) for each in fields.objects("inputs")),
        outputs=tuple(_variable(each) for each in fields.objects("outputs")),
        behaviour=cast("Behaviour", behaviour),
        delay=fields.number("delay", default=0.0),
        fault_status=fields.whole("fault_status", default=400),
        description=fields.optional_text("description"),
        active=fields.flag("active", default=True),
        draft=fields.flag("draft", default=False),
        trigger_type=fields.optional_text("trigger_type"),
        users=None if allowed is None else frozenset(allowed),
    )
    fields.done()
    return flow


def _variable(fields: Fields) -> Variable:
    name = fields.text("name")
    if not _VARIABLE_NAME.fullmatch(name):
        raise ValueError(f"{name!r} cannot be the name of a variable")
    variable = Variable(
        name=name,
        type=fields.text("type", default="STRING"),
        collection=fields.flag("collection", default=False),
        sobject_type=fields.optional_text("sobject_type"),
        apex_class=fields.optional_text("apex_class"),
        description=fields.optional_text("description"),
        picklist=tuple(fields.optional_texts("picklist") or ()),
        value=fields.any("value"),
    )
    fields.done()
    if variable.type not in TYPES:
        raise ValueError(f"{variable.type!r} is not a type of Flow variables")
    if (variable.type == "SOBJECT") != (variable.sobject_type is not None):
        raise ValueError(f"{name}: SOBJECT goes with a sobject_type, and nothing else does")
    return variable


def _one_of(name: str, value: str, alias: object) -> str:
    choices = get_args(getattr(alias, "__value__", alias))
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}")
    return value
