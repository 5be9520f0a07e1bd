"""The orgs that exist when the simulator starts: two in production and a sandbox."""

from typing import Final

from local import scene
from local.simulators.salesforce.ids import with_suffix
from local.simulators.salesforce.orgs import Flow, Org, Orgs, people
from local.simulators.salesforce.variables import Variable

SECOND_ORG_ID: Final = with_suffix("00D5g00000FABRI")
SECOND_ORG_HOST: Final = "fabrikam.my.salesforce.com"
SANDBOX_ORG_ID: Final = with_suffix("00D5g00000CONUA")
SANDBOX_ORG_HOST: Final = "contoso--uat.sandbox.my.salesforce.com"
USERS: Final = ("alice", "bob", "carol")

_EMAIL: Final = (
    Variable(name="senderEmail", description="Address of the sender"),
    Variable(name="senderName", description="Name of the sender"),
    Variable(name="subject", description="Subject of the email"),
    Variable(name="messageId", description="Internet message id"),
    Variable(name="recipientEmails", collection=True, description="Addresses in To"),
)

_FLOWS: Final = (
    Flow(
        name="Log_Email",
        label="Log Email",
        description="Logs an email",
        inputs=_EMAIL,
        outputs=_EMAIL,
    ),
    Flow(
        name="Create_Case",
        label="Create Case",
        description="Opens a case from an email",
        inputs=(
            Variable(name="subject"),
            Variable(name="priority", type="PICKLIST", picklist=("High", "Medium", "Low")),
            Variable(name="recordId", type="ID"),
        ),
        outputs=(
            Variable(name="caseId", type="ID", value="5005g00{sequence}"),
            Variable(name="caseNumber", value="{sequence}"),
        ),
    ),
    Flow(
        name="ns__Sync_Contact",
        label="Sync Contact",
        inputs=(
            Variable(name="age", type="INTEGER"),
            Variable(name="optedIn", type="BOOLEAN"),
            Variable(name="birthday", type="DATE"),
            Variable(name="lastSeen", type="DATETIME"),
            Variable(name="score", type="DOUBLE"),
            Variable(name="contact", type="SOBJECT", sobject_type="Contact"),
        ),
        outputs=(
            Variable(name="age", type="INTEGER"),
            Variable(name="optedIn", type="BOOLEAN"),
            Variable(name="contact", type="SOBJECT", sobject_type="Contact"),
        ),
    ),
    Flow(
        name="Always_Faults",
        label="Always Faults",
        inputs=(Variable(name="subject"),),
        behaviour="fault",
    ),
    Flow(
        name="Waits_For_Approval",
        label="Waits For Approval",
        inputs=(Variable(name="subject"),),
        behaviour="waiting",
    ),
    Flow(
        name="Takes_Its_Time",
        label="Takes Its Time",
        inputs=(Variable(name="subject"),),
        outputs=(Variable(name="subject"),),
        behaviour="slow",
        delay=3.0,
    ),
    Flow(
        name="New_Lead_Screen",
        label="New Lead",
        kind="screen",
        description="Asks for the details of a lead",
        inputs=(Variable(name="senderEmail"), Variable(name="recordId")),
        outputs=(Variable(name="leadId"),),
        draft=True,
    ),
)


def orgs_at_start() -> Orgs:
    places = (
        (scene.SALESFORCE_ORG_ID, scene.SALESFORCE_ORG_HOST),
        (SECOND_ORG_ID, SECOND_ORG_HOST),
        (SANDBOX_ORG_ID, SANDBOX_ORG_HOST),
    )
    return Orgs(
        Org(
            org_id=org_id,
            instance_host=host,
            users=people(org_id, host, USERS),
            flows={flow.name: flow for flow in _FLOWS},
        )
        for org_id, host in places
    )
