/** Choosing who to be, and signing in with the identity that a mail program has anyway. */

import { byId, element } from "./dom.js";
import { PEOPLE, identityToken, organisationOf } from "./people.js";
import { PaneProblem, clearProblem, showProblem } from "./problems.js";
import { NoAnswer } from "./service.js";

export class SignInView {
  #service;
  #config;
  #onPerson;
  #onSignedIn;
  #person = PEOPLE[0];

  /** `onPerson(person)` says whose mailbox to show, `onSignedIn(person)` that it worked. */
  constructor(service, config, { onPerson, onSignedIn }) {
    this.#service = service;
    this.#config = config;
    this.#onPerson = onPerson;
    this.#onSignedIn = onSignedIn;
    byId("people").append(...PEOPLE.map((person) => this.#choice(person)));
    byId("sign-in-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#signIn();
    });
    this.#choose(this.#person);
  }

  /** A fresh session for the same person. Throws what signing in throws. */
  async again() {
    await this.#service.signIn(this.#person.provider, await this.#token());
  }

  #choice(person) {
    const radio = element("input", {
      type: "radio",
      name: "person",
      id: `person-${person.provider}`,
      checked: person === this.#person,
    });
    radio.addEventListener("change", () => this.#choose(person));
    return element(
      "label",
      { class: "person" },
      radio,
      element("span", { class: "name" }, person.name),
      element("span", { class: "quiet" }, person.where),
    );
  }

  #choose(person) {
    this.#person = person;
    byId("person-organisation-label").textContent = person.organisationLabel;
    byId("person-organisation").value = organisationOf(person, this.#config);
    byId("person-id-label").textContent = person.idLabel;
    byId("person-id").value = person.id;
    this.#onPerson(person);
  }

  async #signIn() {
    const place = byId("problem-sign-in");
    const button = byId("sign-in-button");
    clearProblem(place);
    button.disabled = true;
    try {
      await this.#service.signIn(this.#person.provider, await this.#token());
      this.#onSignedIn(this.#person);
    } catch (problem) {
      const isOutOfReach = problem instanceof NoAnswer;
      showProblem(place, isOutOfReach ? new PaneProblem("out_of_reach") : problem);
    } finally {
      button.disabled = false;
    }
  }

  async #token() {
    const organisation = byId("person-organisation").value.trim();
    const id = byId("person-id").value.trim();
    try {
      return await identityToken(this.#person, organisation, id);
    } catch {
      throw new PaneProblem("no_token");
    }
  }
}
