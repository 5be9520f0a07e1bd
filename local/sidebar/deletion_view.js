/**
 * A confirmed deletion: how far it is, and in the end the receipt.
 *
 * The account is gone by then, so this asks with the status token of the request. It lives in a
 * private field of this object, as the session does in service.js.
 */

import { announce, byId, element, show, shortTime } from "./dom.js";
import { clearProblem, showProblem } from "./problems.js";
import { NoAnswer } from "./service.js";

const LOOK_EVERY_MS = 2_000;

/** The states of a deletion, in order, in plain words. */
export const STEPS = {
  requested: "You asked for it",
  confirmed: "You confirmed it",
  fenced: "Sign-in closed, so that nothing is added",
  revoked: "Access at Salesforce ended",
  deleted: "Everything about you deleted",
  shredded: "Your organisation’s keys left to your colleagues",
  verified: "Looked again: nothing is left",
  receipted: "Receipt signed",
};

export class DeletionView {
  #service;
  #onClosed;
  #followed = null; // {id, token}: the deletion that is shown
  #addresses = []; // of the files that can be saved

  /** `onClosed()` is called when the person has seen enough. */
  constructor(service, onClosed) {
    this.#service = service;
    this.#onClosed = onClosed;
    byId("deletion-close").addEventListener("click", () => this.#close());
  }

  /** Shows the progress until there is a receipt, or until it is closed. */
  async follow({ id, status_token: token }) {
    const followed = (this.#followed = { id, token });
    show("deletion", true);
    byId("deletion-title").textContent = "Your data is being deleted";
    byId("deletion-hint").textContent =
      "The service begins within a minute, and promises to be done within 24 hours. " +
      "Without this pane it goes on all the same, but the receipt is shown here only.";
    byId("deletion-title").focus();
    while (this.#followed === followed) {
      if (await this.#look(followed)) return;
      await new Promise((wake) => setTimeout(wake, LOOK_EVERY_MS));
    }
  }

  /** Whether there is nothing more to look for. */
  async #look(followed) {
    const place = byId("problem-deletion");
    try {
      const status = await this.#service.deletionStatus(followed.id, followed.token);
      if (this.#followed !== followed) return true;
      clearProblem(place);
      byId("deletion-steps").replaceChildren(...steps(status));
      if (status.state !== "receipted") return false;
      const [receipt, keys] = await Promise.all([
        this.#service.deletionReceipt(followed.id, followed.token),
        this.#service.keys(),
      ]);
      if (this.#followed === followed) this.#showReceipt(followed.id, receipt, keys);
      return true;
    } catch (problem) {
      if (this.#followed === followed) showProblem(place, problem);
      return !(problem instanceof NoAnswer); // what was only lost on its way is asked for again
    }
  }

  #showReceipt(id, receipt, keys) {
    const claims = claimsOf(receipt);
    byId("deletion-title").textContent = "Your data was deleted";
    byId("deletion-hint").textContent =
      "This receipt proves it to anybody, without asking us. Save it with the keys: it holds " +
      "hashes and numbers, and nothing by which somebody would know you.";
    byId("receipt").replaceChildren(
      fact("Deletion", claims.deletion_id),
      fact("Finished", shortTime(claims.finished_at)),
      fact("Rows deleted", counted(claims.rows)),
      fact("Salesforce connections ended", String(claims.revocations.revoked)),
      ...unconfirmed(claims.revocations.not_confirmed),
      fact("Backups", claims.backups),
    );
    byId("receipt-files").replaceChildren(
      this.#file("Save the receipt", `receipt-${id}.jws`, receipt, "application/jose"),
      this.#file("Save the keys", "flowrunner-keys.json", keys, "application/json"),
    );
    show("receipt-part", true);
    announce("Your data was deleted. The receipt is ready.");
  }

  #file(words, name, text, type) {
    const address = URL.createObjectURL(new Blob([text], { type }));
    this.#addresses.push(address);
    return element("a", { href: address, download: name, class: "plain" }, words);
  }

  clear() {
    this.#followed = null;
    for (const address of this.#addresses) URL.revokeObjectURL(address);
    this.#addresses = [];
    for (const id of ["deletion-steps", "receipt", "receipt-files"]) byId(id).replaceChildren();
    clearProblem(byId("problem-deletion"));
    show("receipt-part", false);
    show("deletion", false);
  }

  #close() {
    this.clear();
    this.#onClosed();
  }
}

function steps({ state, steps: done }) {
  const times = new Map(done.map((step) => [step.state, step.at]));
  const names = Object.keys(STEPS);
  const next = names[names.indexOf(state) + 1];
  return names.map((name) => {
    const at = times.get(name);
    return element(
      "li",
      { "data-step": name, "data-done": Boolean(at), "aria-current": name === next ? "step" : null },
      element("span", {}, STEPS[name]),
      element("span", { class: "quiet" }, at ? shortTime(at) : ""),
    );
  });
}

/** What a receipt says (a JWS, RFC 7515). Whether it is true, tools/verify_receipt.py tells. */
function claimsOf(receipt) {
  const payload = receipt.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
  const bytes = Uint8Array.from(atob(payload), (character) => character.charCodeAt(0));
  return JSON.parse(new TextDecoder().decode(bytes));
}

const fact = (name, value) =>
  element("div", {}, element("dt", {}, name), element("dd", {}, value));

const unconfirmed = (count) =>
  count ? [fact("Could not be confirmed by Salesforce", String(count))] : [];

function counted(rows) {
  const kept = Object.entries(rows).filter(([, count]) => count > 0);
  return kept.map(([table, count]) => `${count} in ${table}`).join(", ") || "none";
}
