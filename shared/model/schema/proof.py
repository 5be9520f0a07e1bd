"""The tables `runs` and `deletions`: what happened, and what proves it."""

from typing import Final

from shared.model.schema.entries import Column, Kind, Table
from shared.model.schema.tenancy import BY_SETTING, TENANT_GATE, USER_GATE

RUNS: Final = Table(
    "runs",
    "Which Flow was run by whom and when, and how it ended; nothing of what went in or came out.",
    (
        USER_GATE,
        TENANT_GATE,
        Kind(
            name="run",
            row_key="run|<descending time>|<run id>",
            purpose="The audit of every call that was made, for the user and the administrators.",
            retention=BY_SETTING,
            columns=(
                Column("run_id", "metadata", "A random name of the run."),
                Column("user_id", "pseudonym", "Who ran it.", "user id"),
                Column("org_id", "metadata", "In which Salesforce org."),
                Column("flow_id", "pseudonym", "Which Flow.", "Flow id"),
                Column("started_at", "metadata", "When it started."),
                Column("outcome", "metadata", "How it ended, by one of seven fixed words."),
                Column("finished_at", "metadata", "When it ended."),
                Column("duration_ms", "metadata", "How long it took."),
            ),
        ),
        Kind(
            name="idempotency_key",
            row_key="idem|<keyed hash>",
            purpose="Keeps a request that is sent twice from running a Flow twice.",
            retention="24 hours.",
            columns=(
                Column("user_id", "pseudonym", "Who sent it.", "user id"),
                Column(
                    "body_digest",
                    "pseudonym",
                    "A keyed hash of the request: tells another one from the same.",
                    "keyed hash",
                ),
                Column("run_row", "technical", "The run that was started by it."),
                Column("created_at", "technical", "When."),
            ),
        ),
    ),
)

DELETIONS: Final = Table(
    "deletions",
    "Requests to be forgotten, how far each has come, and the receipts.",
    (
        Kind(
            name="deletion",
            row_key="<deletion id>",
            purpose="Carries a deletion out, and proves it afterwards.",
            retention="Unconfirmed, 1 hour; confirmed, until 10 years after the receipt.",
            columns=(
                Column("scope", "metadata", "Whether one user goes, or the whole tenant."),
                Column("state", "metadata", "How far it has come."),
                Column("times", "metadata", "When it reached each state."),
                Column(
                    "requested_by", "pseudonym", "Who asked; emptied with the receipt.", "user id"
                ),
                Column(
                    "user_id", "pseudonym", "Whose data goes; dropped with the receipt.", "user id"
                ),
                Column(
                    "subject_sha256",
                    "pseudonym",
                    "A hash of that user id: whose deletion the receipt proves.",
                    "SHA-256",
                ),
                Column(
                    "code_digest",
                    "technical",
                    "A hash of the confirmation code; emptied with the receipt.",
                ),
                Column("status_digest", "technical", "A hash of the token that shows the state."),
                Column("row_counts", "metadata", "How many rows each table held."),
                Column("revocations", "metadata", "How many grants were revoked at Salesforce."),
                Column("keys_destroyed", "technical", "Which data keys were destroyed."),
                Column("is_overdue", "technical", "That operators were alarmed."),
                Column(
                    "next_try_at", "technical", "When an org that did not answer is asked again."
                ),
                Column("receipt", "metadata", "The signed receipt, which names nobody."),
                Column("receipted_at", "metadata", "Since when there is a receipt."),
            ),
        ),
    ),
)
