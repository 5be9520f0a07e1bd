/** The Flows of an org, and the one that was chosen. */

import { byId, element, show } from "./dom.js";
import { showInputs } from "./inputs_form.js";
import { showLeaving } from "./leaving.js";
import { clearProblem, showProblem } from "./problems.js";

const TAGS = { screen: "Has screens" };

export class FlowsView {
  #service;
  #runForm;
  #screenFlow;
  #org = null;
  #flow = null;
  #mail = null;
  #source = null;
  #chosen = null; // the name last clicked: an answer for another one comes too late

  constructor(service, runForm, screenFlow) {
    this.#service = service;
    this.#runForm = runForm;
    this.#screenFlow = screenFlow;
    byId("flow-back").addEventListener("click", () => this.#backToList());
  }

  /** The mail that the pane stands beside has changed. */
  openMail(mail, source) {
    this.#mail = mail;
    this.#source = source;
    if (this.#flow) this.#showFlow();
  }

  /** Shows the Flows of an org; without one, none. */
  async showOrg(org) {
    this.#org = org;
    this.#close();
    const place = byId("problem-flows");
    clearProblem(place);
    byId("flow-list").replaceChildren();
    show("flows", org !== null);
    if (org === null) return;
    byId("flows").setAttribute("aria-busy", "true");
    try {
      const flows = await this.#service.flows(org);
      if (org !== this.#org) return;
      byId("flow-list").replaceChildren(...flows.map((flow) => this.#item(flow)));
      byId("flows-hint").textContent = flows.length
        ? "You see what would leave your mailbox before it does."
        : "This org has no Flows that you may run.";
    } catch (problem) {
      showProblem(place, problem);
    } finally {
      byId("flows").removeAttribute("aria-busy");
    }
  }

  #item(flow) {
    const tag = TAGS[flow.kind];
    const open = element(
      "button",
      { type: "button", id: `choose-${flow.name}`, class: "flow" },
      element("span", { class: "name" }, flow.label),
      ...(tag ? [element("span", { class: "tag" }, tag)] : []),
      element("span", { class: "quiet" }, flow.description ?? flow.name),
    );
    open.addEventListener("click", () => this.#choose(flow));
    return element("li", {}, open);
  }

  async #choose(flow) {
    const place = byId("problem-flows");
    clearProblem(place);
    this.#chosen = flow.name;
    try {
      const described = await this.#service.describe(this.#org, flow.name);
      if (this.#chosen !== flow.name) return;
      this.#flow = { ...described, description: flow.description, org: flow.org_id };
      showInputs(this.#flow);
      this.#showFlow();
      show("flows", false);
      show("flow", true);
      byId("flow-title").focus();
    } catch (problem) {
      showProblem(place, problem);
    }
  }

  #showFlow() {
    const flow = this.#flow;
    byId("flow-title").textContent = flow.label;
    byId("flow-description").textContent = flow.description ?? "";
    showLeaving(flow, this.#mail, this.#source);
    show("run-form", flow.kind !== "screen");
    this.#screenFlow.prepare(flow);
    this.#runForm.prepare(flow, this.#mail, this.#source);
  }

  #backToList() {
    const { name } = this.#flow;
    this.#close();
    show("flows", true);
    byId(`choose-${name}`).focus();
  }

  #close() {
    this.#flow = null;
    this.#chosen = null;
    show("flow", false);
  }
}
