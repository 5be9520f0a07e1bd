"""The tables `users`, `connections` and `pending`: who, their grants, and the way there."""

from typing import Final

from shared.model.schema.entries import Column, Kind, Table
from shared.model.schema.tenancy import TENANT_GATE, USER_GATE

USERS: Final = Table(
    "users",
    "The people who have signed in.",
    (
        TENANT_GATE,
        Kind(
            name="user",
            row_key="<user id>",
            purpose="Knows the person again at the next sign-in, and ends sessions.",
            retention="Until the user or the tenant is deleted.",
            columns=(
                Column(
                    "sealed_identity",
                    "identity, sealed",
                    "The provider, and the object id (Microsoft) or subject (Google) there.",
                ),
                Column("epoch", "technical", "Ends all sessions of the user when it moves on."),
                Column("created_at", "metadata", "When the user first signed in."),
                Column("last_seen_day", "metadata", "The day of the last sign-in."),
                Column("is_leaving", "technical", "That a deletion of this user is under way."),
            ),
        ),
    ),
)

CONNECTIONS: Final = Table(
    "connections",
    "The Salesforce orgs that users have connected, each with the user's own grant.",
    (
        USER_GATE,
        TENANT_GATE,
        Kind(
            name="discarded_grant",
            row_key="outbox|<user id>|<org id>|<entry id>",
            purpose="Sees to it that a grant nobody is to use any more is revoked at Salesforce, "
            "also where the org is down at the moment.",
            retention="Until Salesforce says that it is revoked; 30 days at most: by then its rule "
            "for partners' apps, or the org's own policy, has ended the grant as a rule.",
            columns=(
                Column("org_id", "metadata", "The Salesforce org."),
                Column(
                    "sealed_grant",
                    "token, sealed",
                    "As in the connection which it was taken from, and sealed for that place.",
                ),
                Column(
                    "discarded_at",
                    "metadata",
                    "When it was disconnected, replaced, lapsed, or was left unclaimed.",
                ),
                Column("next_try_at", "technical", "When revoking it is tried again."),
                Column("attempts", "technical", "How often that has failed."),
                Column(
                    "may_be_spent",
                    "technical",
                    "That a refresh was under way, or its answer was lost.",
                ),
            ),
        ),
        Kind(
            name="connection",
            row_key="<user id>|<org id>",
            purpose="Runs Flows in the user's org, under the user's own permissions.",
            retention="Until it is disconnected or the user or tenant is deleted; a grant that has "
            "ended, 30 days after its end.",
            columns=(
                Column("org_id", "metadata", "The Salesforce org."),
                Column("health", "metadata", "Whether the grant serves, and if not, why."),
                Column("generation", "technical", "Counts the refreshes; fences late writers off."),
                Column(
                    "sealed_grant",
                    "token, sealed",
                    "Refresh and access token, the org's host names, and the Salesforce user id.",
                ),
                Column(
                    "consent",
                    "technical",
                    "Which consent of the user's it comes from, by the hash of a used code.",
                ),
                Column("connected_at", "metadata", "When the user consented."),
                Column("refreshed_at", "metadata", "When its refresh token last served."),
                Column("last_used_day", "metadata", "The day on which it was last used."),
                Column("lease_holder", "technical", "The call that is refreshing it, by a number."),
                Column("lease_until", "technical", "How long that call may take."),
                Column(
                    "answer_lost",
                    "technical",
                    "That a refresh was asked for and no answer came.",
                ),
                Column("ended_at", "metadata", "Since when only a new consent can mend it."),
            ),
        ),
    ),
)


def _pending(
    name: str, code: str, purpose: str, sealed: Column, retention: str, *further: Column
) -> Kind:
    return Kind(
        name=name,
        row_key=f"{code}|<SHA-256>",
        purpose=purpose,
        retention=retention,
        columns=(
            Column("user_id", "pseudonym", "Who is connecting an org.", "user id"),
            sealed,
            Column("expires_at", "technical", "Until when the one-time code is good."),
            *further,
        ),
    )


_SWEPT: Final = "Until it is used, once; unused, 10 minutes, and then until the hourly sweep."

PENDING: Final = Table(
    "pending",
    "The stops on the way to a connection, each found by the hash of a one-time code.",
    (
        USER_GATE,
        TENANT_GATE,
        _pending(
            "ticket",
            "ticket",
            "Lets the browser begin what the add-in asked for.",
            Column(
                "sealed",
                "metadata, sealed",
                "The Salesforce login host, and the page to come back to.",
            ),
            _SWEPT,
        ),
        _pending(
            "state",
            "state",
            "Knows the browser again that comes back from Salesforce.",
            Column(
                "sealed", "token, sealed", "The code verifier, and a hash that knows the browser."
            ),
            _SWEPT,
        ),
        _pending(
            "parked_grant",
            "parked",
            "Waits for the user who started to claim it; nobody else can.",
            Column("sealed", "token, sealed", "A Salesforce grant, as in `connections`."),
            "Until the connection that was made of it stands; unclaimed, 10 minutes, and then "
            "until it is revoked or in the outbox; where neither can be done, 48 hours at most.",
            Column("claimed_at", "technical", "When somebody claimed it, or began to revoke it."),
        ),
    ),
)
