/** What the service holds about the user, and the way to have it deleted. */

import { byId, element, show } from "./dom.js";
import { clearProblem, showProblem } from "./problems.js";

/** What each kind of row is called for people. Why it is kept, the service says. */
export const KINDS = {
  tenant: "Your organisation",
  settings_change: "Settings you changed",
  user: "You",
  connection: "Salesforce connection",
  discarded_grant: "Grant still to be revoked",
  ticket: "Started connection",
  state: "Connection under way",
  parked_grant: "Connection not yet claimed",
  run: "Run",
  idempotency_key: "Guard against running twice",
  user_gate: "Mark that you have an account",
  deletion: "Request for deletion",
};

export class DataView {
  #service;
  #signInAgain;
  #onConfirmed;
  #asked = null; // the request that the dialog is about

  /**
   * `signInAgain()` makes the session a fresh one; `onConfirmed(request)` is told the request as the
   * service answered it, its status token included.
   */
  constructor(service, { signInAgain, onConfirmed }) {
    this.#service = service;
    this.#signInAgain = signInAgain;
    this.#onConfirmed = onConfirmed;
    byId("data-show").addEventListener("click", () => this.#showHeld());
    byId("delete-button").addEventListener("click", () => this.#ask());
    byId("delete-yes").addEventListener("click", () => this.#confirm());
    byId("delete-again").addEventListener("click", () => this.#confirmFreshly());
    byId("delete-no").addEventListener("click", () => byId("delete").close());
  }

  appear() {
    show("data", true);
  }

  clear() {
    this.#asked = null;
    byId("held").replaceChildren();
    byId("held-statements").replaceChildren();
    byId("delete").close();
    byId("deletion-code").textContent = "";
    for (const place of ["problem-data", "problem-delete"]) clearProblem(byId(place));
    show("data", false);
  }

  async #showHeld() {
    const place = byId("problem-data");
    clearProblem(place);
    try {
      const { held, backups, logs } = await this.#service.myData();
      byId("held").replaceChildren(...byKind(held).map(item));
      byId("held-statements").replaceChildren(
        ...[backups, logs].map((words) => element("p", { class: "quiet" }, words)),
      );
    } catch (problem) {
      showProblem(place, problem);
    }
  }

  /** Asking deletes nothing: a request that nobody confirms is forgotten within the hour. */
  async #ask() {
    const place = byId("problem-data");
    const button = byId("delete-button");
    clearProblem(place);
    clearProblem(byId("problem-delete"));
    button.disabled = true;
    try {
      this.#asked = await this.#service.requestDeletion();
      byId("deletion-code").textContent = inGroups(this.#asked.confirmation_code);
      this.#offer({ again: false });
      byId("delete").showModal();
    } catch (problem) {
      showProblem(place, problem);
    } finally {
      button.disabled = false;
    }
  }

  #offer({ again }) {
    show("delete-yes", !again);
    show("delete-again", again);
  }

  async #confirm() {
    const place = byId("problem-delete");
    const asked = this.#asked;
    clearProblem(place);
    this.#disable(true);
    try {
      await this.#service.confirmDeletion(asked.id, asked.confirmation_code);
      this.#onConfirmed(asked);
    } catch (problem) {
      this.#offer({ again: problem.code === "confirmation_required" });
      showProblem(place, problem);
    } finally {
      this.#disable(false);
    }
  }

  /** The service wants a session of the last five minutes for this. */
  async #confirmFreshly() {
    this.#disable(true);
    try {
      await this.#signInAgain();
      await this.#confirm();
    } catch (problem) {
      showProblem(byId("problem-delete"), problem);
    } finally {
      this.#disable(false);
    }
  }

  #disable(isDisabled) {
    for (const id of ["delete-yes", "delete-again"]) byId(id).disabled = isDisabled;
  }
}

/** Those of which there are rows; the same kind in several tables is one line. */
function byKind(held) {
  const lines = new Map();
  for (const { kind, purpose, retention, rows } of held) {
    const count = (lines.get(kind)?.count ?? 0) + rows.length;
    lines.set(kind, { kind, purpose, retention, count });
  }
  return [...lines.values()].filter(({ count }) => count > 0);
}

function item({ kind, purpose, retention, count }) {
  const several = count > 1 ? ` × ${count}` : "";
  return element(
    "li",
    { "data-kind": kind, "data-rows": String(count) },
    element("span", { class: "name" }, `${KINDS[kind] ?? kind}${several}`),
    element("span", {}, purpose),
    element("span", { class: "quiet" }, `Kept: ${retention}`),
  );
}

const inGroups = (code) => code.replaceAll(/(.{4})(?=.)/gu, "$1 ");
