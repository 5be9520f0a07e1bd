/** What went wrong, in plain words, by the code of the service's problem documents. */

import { element } from "./dom.js";
import { SessionOver } from "./service.js";

const WORDS = {
  // the request
  invalid_request: "The service could not read what this pane sent.",
  invalid_input: ({ input, wanted }) => `“${input}” does not fit: the Flow wants ${kind(wanted)}.`,
  undeclared_input: ({ input }) => `The Flow has no input “${input}” any more. Open it again.`,
  invalid_state: "This attempt to connect is too old or was already used. Please connect again.",
  invalid_return_url: "This pane’s address is not registered with the service.",
  host_not_allowed: "That is no Salesforce login address.",
  body_too_large: "That is more than the service takes in one go.",
  unsupported_media_type: "The service could not read what this pane sent.",
  method_not_allowed: "The service does not offer that.",
  not_found: "There is no such thing here, or it is not yours to see.",
  settings_changed: "The settings were changed meanwhile. Read them again.",
  if_match_required: "The service wants to know which settings are to be changed.",
  // who is asking
  not_authenticated: "The service does not accept this sign-in.",
  session_expired: "Your session has ended. Please sign in again.",
  interaction_required: "Your organisation wants one more sign-in step, such as a second factor.",
  personal_account_not_supported: "Personal accounts cannot be used. Sign in with a work account.",
  guest_not_allowed: "Guests of this organisation cannot sign in. Use your own organisation.",
  tenant_not_allowed: "Your organisation does not use FlowRunner here.",
  not_admin: "Only an administrator of your organisation may do that.",
  confirmation_required: "Please confirm this with a fresh sign-in.",
  deletion_in_progress: "Your data is being deleted. Nothing can run meanwhile.",
  other_region: "Your organisation is served in another region.",
  // Salesforce
  salesforce_not_connected: ({ health }) => HEALTH[health] ?? "Salesforce is not connected.",
  salesforce_forbidden: "Salesforce said no: access was denied, or you lack a permission.",
  org_not_allowed: "Your organisation does not allow this Salesforce org.",
  org_ambiguous: "Several orgs are connected. Please choose one.",
  completion_not_yours:
    "This connection was begun by somebody else. It was ended at Salesforce, to be safe.",
  salesforce_failed: "Salesforce gave an answer that makes no sense.",
  salesforce_unavailable: "Salesforce cannot be reached right now. Nothing was carried out.",
  salesforce_timeout: "Salesforce did not answer in time.",
  salesforce_limit_reached: "Your org has used up its calls to Salesforce’s API for now.",
  // runs
  flow_failed: "The Flow started and then failed.",
  duplicate_run: ({ run_status: status }) => `It was not run again. ${ran(status)}`,
  idempotency_key_reused: "This run was already asked for, with other values.",
  // the service
  too_many_requests: "That was a lot at once.",
  storage_failed: "The service cannot reach its storage right now.",
  key_vault_failed: "The service cannot reach its keys right now.",
  identity_provider_failed: "Your identity provider does not answer right now.",
  internal: "Something went wrong in the service.",
  // this pane's own
  no_answer: "No answer came from the service.",
  answer_lost:
    "No answer came, so it is not known whether the Flow ran. " +
    "Press again: it will not run twice.",
  out_of_reach:
    "The service cannot be reached. Does this browser trust the local stack’s authority? " +
    "README.md says how.",
  window_blocked: "Your browser blocked the window for Salesforce. Allow it, and try again.",
  window_closed: "The Salesforce window was closed before the end. Nothing was connected.",
  wrong_json: ({ input }) => `“${input}” must be a value in JSON.`,
  wrong_number: ({ input }) => `“${input}” must be a number.`,
  no_token: "The simulator gave no token. Check the ids under “Be somebody else”.",
};

/** How a connection stands, by its health. */
export const HEALTH = {
  active: "Connected",
  expired: "The connection has expired. Connect again.",
  revoked: "The connection was ended at Salesforce. Connect again.",
  rotation_lost: "The connection was interrupted. Connect again.",
  user_inactive: "Your Salesforce user is not active. Ask your Salesforce administrator.",
  app_not_approved: "FlowRunner is not approved in this org. Ask your Salesforce administrator.",
  ip_not_allowed: "The org does not accept FlowRunner’s address. Ask your administrator.",
  org_unavailable: "The org is not available right now. Try again later.",
  key_unavailable: "The key to this connection is not available right now. Try again later.",
};

/** How a run ended, by its outcome. */
export const OUTCOMES = {
  started: "Running",
  succeeded: "Succeeded",
  waiting: "Waiting",
  flow_failed: "Failed",
  refused: "Refused",
  not_sent: "Not sent",
  outcome_unknown: "Unknown",
};

const KINDS = {
  BOOLEAN: "yes or no",
  DATE: "a date",
  DATETIME: "a date and a time",
  TIME: "a time of day",
  INTEGER: "a whole number",
  INT: "a whole number",
  LONG: "a whole number",
  ID: "a Salesforce id",
};

const kind = (wanted) => KINDS[wanted] ?? `a value of type ${wanted}`;

function ran(status) {
  if (status === "succeeded") return "It had already run, and succeeded.";
  if (status === "started") return "It is already running.";
  return `It had already been asked for, and ended as: ${OUTCOMES[status] ?? status}.`;
}

export class PaneProblem extends Error {
  retryAfterSeconds = null;

  /** A failure that this pane finds itself: `code` is one of the last group above. */
  constructor(code, members = {}) {
    super(code);
    this.code = code;
    this.members = members;
  }
}

export function plainWords(code, members = {}) {
  const words = WORDS[code] ?? "Something went wrong.";
  return typeof words === "function" ? words(members) : words;
}

/** Empties a problem's place (an element with role="alert"). */
export const clearProblem = (place) => place.replaceChildren();

/** Says what went wrong in the place for it. A bug of this page is thrown on. */
export function showProblem(place, problem) {
  if (problem instanceof SessionOver) return; // the pane has said so, and begins anew
  const { code, members, retryAfterSeconds } = problem;
  if (!code || !members) throw problem;
  const lines = [element("p", { class: "words" }, plainWords(code, members))];
  for (const { message, statusCode } of members.errors ?? []) {
    lines.push(element("p", { class: "quote" }, message || statusCode));
  }
  if (members.run_status === "outcome_unknown") {
    lines.push(element("p", {}, "Whether the Flow ran is not known: look in Salesforce first."));
  }
  if (retryAfterSeconds) {
    lines.push(element("p", {}, `Try again in ${retryAfterSeconds} seconds.`));
  }
  if (members.incident) {
    lines.push(element("p", { class: "reference" }, `Reference ${members.incident}`));
  }
  place.replaceChildren(element("div", { class: "problem", "data-code": code }, ...lines));
}
