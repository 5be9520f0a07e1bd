/** The user's Salesforce orgs: connecting one, choosing between several, disconnecting. */

import { ConnectWindow } from "./connect_window.js";
import { announce, byId, button, element, show } from "./dom.js";
import { HEALTH, clearProblem, showProblem } from "./problems.js";

const RETURN_TO = new URL("connected.html", location.href).href;

export class SalesforceView {
  #service;
  #config;
  #onOrg;
  #connections = [];
  #org = null;
  #window = null; // the connect window, while it is open
  #leaving = null; // the connection that the dialog asks about

  /** `onOrg(orgId)` is awaited with the org to work in, or null while there is none. */
  constructor(service, config, onOrg) {
    this.#service = service;
    this.#config = config;
    this.#onOrg = onOrg;
    byId("connect-button").addEventListener("click", () => this.#connect());
    byId("connect-cancel").addEventListener("click", () => this.#render());
    byId("connect-another").addEventListener("click", () => this.#offerConnecting());
    byId("disconnect-yes").addEventListener("click", () => this.#disconnect());
    byId("disconnect-no").addEventListener("click", () => byId("disconnect").close());
  }

  clear() {
    this.#window?.close();
    this.#window = null;
    this.#connections = [];
    this.#org = null;
    byId("connections").replaceChildren();
    for (const id of ["connect", "salesforce"]) show(id, false);
    for (const place of ["problem-connect", "problem-salesforce"]) clearProblem(byId(place));
    this.#onOrg(null);
  }

  /**
   * Reads how the connections stand; `preferred` is the org to work in if it is among them.
   * Throws Problem, NoAnswer or SessionOver.
   */
  async refresh(preferred = this.#org) {
    this.#connections = await this.#service.connections();
    const ids = this.#connections.map(({ org_id: id }) => id);
    await this.#use(ids.includes(preferred) ? preferred : (ids[0] ?? null));
  }

  async #use(org) {
    const isNew = org !== this.#org;
    this.#org = org;
    this.#render();
    if (isNew) await this.#onOrg(org);
  }

  #render() {
    const isConnected = this.#connections.length > 0;
    show("connect", !isConnected);
    show("connect-cancel", false);
    show("salesforce", isConnected);
    byId("connections").replaceChildren(...this.#connections.map((one) => this.#item(one)));
  }

  #offerConnecting() {
    show("connect", true);
    show("connect-cancel", true);
    byId("connect-title").focus();
  }

  #item(connection) {
    const { org_id: id, instance_host: host, health, action } = connection;
    const isInUse = id === this.#org && this.#connections.length > 1;
    const use = button({ class: "link", "data-use": id }, "Use this org", () => this.#use(id));
    const again = button({ class: "link" }, "Connect again", () => this.#offerConnecting());
    const end = button({ class: "link", "data-disconnect": id }, "Disconnect", () =>
      this.#ask(connection),
    );
    return element(
      "li",
      { "data-org": id, "data-health": health },
      element("span", { class: "name" }, host),
      element("span", { class: `health ${health}` }, isInUse ? "In use" : HEALTH[health]),
      element(
        "div",
        { class: "actions" },
        ...(action === "reconnect" ? [again] : []),
        ...(id === this.#org ? [] : [use]),
        end,
      ),
    );
  }

  async #connect() {
    const place = byId("problem-connect");
    const wait = byId("connect-wait");
    const connect = byId("connect-button");
    clearProblem(place);
    connect.disabled = true;
    let opened = null;
    try {
      opened = this.#window = new ConnectWindow(this.#config.service);
      wait.textContent = "Go on in the Salesforce window.";
      const url = await this.#service.beginConnection(byId("login-host").value, RETURN_TO);
      const completion = await opened.completionFrom(url);
      const connection = await this.#service.completeConnection(completion);
      this.#org = null; // its Flows are read anew, even if it was connected before
      await this.refresh(connection.org_id);
      announce(`Connected to ${connection.instance_host}.`);
      byId("flows-title").focus();
    } catch (problem) {
      opened?.close();
      if (opened === this.#window) showProblem(place, problem); // else closed by signing out
    } finally {
      if (opened === this.#window) this.#window = null;
      wait.textContent = "";
      connect.disabled = false;
    }
  }

  #ask(connection) {
    this.#leaving = connection;
    byId("disconnect-title").textContent = `Disconnect ${connection.instance_host}?`;
    byId("disconnect").showModal();
  }

  async #disconnect() {
    const place = byId("problem-salesforce");
    clearProblem(place);
    byId("disconnect").close();
    try {
      await this.#service.disconnect(this.#leaving.org_id);
      await this.refresh();
      announce(`Disconnected from ${this.#leaving.instance_host}.`);
      byId(this.#connections.length ? "salesforce-title" : "connect-title").focus();
    } catch (problem) {
      showProblem(place, problem);
    }
  }
}
