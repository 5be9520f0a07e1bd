/**
 * Whom one can be in this demo, and the identity token that their mail program would give the pane.
 *
 * A real add-in gets the token from Office or from the browser's Google account. Here the local
 * stack's simulators of Microsoft and Google sign one, for whoever sits at this machine.
 */

export const PEOPLE = [
  {
    provider: "microsoft",
    source: "outlook",
    name: "Robin Vega",
    address: "robin.vega@contoso.example.com",
    where: "Outlook, with a Microsoft 365 account",
    organisationLabel: "Tenant id at Microsoft",
    idLabel: "Object id at Microsoft",
    id: "3f0c7a52-6b1d-4e8e-9a47-c2d5810be6f9",
  },
  {
    provider: "google",
    source: "gmail",
    name: "Kim Larsen",
    address: "kim.larsen@fabrikam.example.com",
    where: "Gmail, with a Google Workspace account",
    organisationLabel: "Domain at Google",
    idLabel: "Subject at Google",
    id: "104417502938116640275",
  },
];

/** Where the person works, if the visitor does not say otherwise. `config` is /config.json. */
export const organisationOf = (person, config) =>
  person.provider === "microsoft" ? config.entra_tenant : config.google_domain;

export async function identityToken(person, organisation, id) {
  const asked =
    person.provider === "microsoft"
      ? ["/_sim/entra/token", { tid: organisation, oid: id }]
      : ["/_sim/google/token", { hd: organisation, sub: id }];
  const [path, body] = asked;
  const answer = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`the simulator answered ${answer.status}`);
  return (await answer.json()).token;
}
