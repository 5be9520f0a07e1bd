/** What a Flow would receive of the open mail, and what it would not. */

import { byId, element, show } from "./dom.js";
import { emailFields } from "./mails.js";
import { FIELDS } from "./vocabulary.js";

/**
 * The `email` of a run: the fields that the description names and this mail has. What is shown and
 * what is sent both come from here, so they cannot differ.
 */
export function leavingFields(flow, mail, source) {
  const all = emailFields(mail, source);
  const wanted = flow.email_fields.filter((field) => (all[field] ?? null) !== null);
  return Object.fromEntries(wanted.map((field) => [field, all[field]]));
}

export function showLeaving(flow, mail, source) {
  const leaving = leavingFields(flow, mail, source);
  byId("leaving").replaceChildren(
    ...flow.email_fields.map((field) => row(field, leaving[field])),
  );
  show("leaving-nothing", flow.email_fields.length === 0);
  byId("staying").replaceChildren(
    ...staying(flow, mail).map((label) => element("li", {}, label)),
  );
}

function row(field, value) {
  const values = value === undefined ? [] : [value].flat();
  const shown = values.map((one) => element("span", { class: "value" }, one));
  const none = element("span", { class: "quiet" }, "this mail has none");
  return element(
    "div",
    { "data-field": field },
    element("dt", {}, FIELDS[field]?.label ?? field),
    element("dd", {}, ...(shown.length ? shown : [none])),
  );
}

function staying(flow, mail) {
  const files = mail.attachments.length;
  const others = Object.entries(FIELDS).filter(([field]) => !flow.email_fields.includes(field));
  return [
    "The text of the mail",
    ...(files ? [`${files} attachment${files > 1 ? "s" : ""}`] : []),
    ...others.map(([, { label }]) => label),
  ];
}
