/** Runs the chosen Flow for the open mail, once, and shows what came back. */

import { byId, element } from "./dom.js";
import { markInput, typedInputs, unmarkInputs } from "./inputs_form.js";
import { leavingFields } from "./leaving.js";
import { PaneProblem, clearProblem, showProblem } from "./problems.js";
import { NoAnswer } from "./service.js";

export class RunForm {
  #service;
  #onRun;
  #prepared = null; // {flow, mail, source}: what a click would run
  #attempt = null; // {text, key} of a run whose answer was lost
  #underWay = null; // stands for the run under way

  /** `onRun()` is called after every attempt. */
  constructor(service, onRun) {
    this.#service = service;
    this.#onRun = onRun;
    byId("run-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#run();
    });
  }

  /** Whatever an earlier run showed goes: it belonged to another mail or Flow. */
  prepare(flow, mail, source) {
    this.#prepared = { flow, mail, source };
    clearProblem(byId("problem-run"));
    byId("result").replaceChildren();
    unmarkInputs();
  }

  /** Another person may come: what is under way is no longer theirs to see. */
  clear() {
    this.#attempt = null;
    this.#setUnderWay(null);
  }

  async #run() {
    if (this.#underWay) return; // the second half of a double click
    const run = Symbol("run");
    this.#setUnderWay(run);
    const place = byId("problem-run");
    const { flow, mail, source } = this.#prepared;
    clearProblem(place);
    unmarkInputs();
    const wait = element("p", { class: "quiet" }, "The Flow is running.");
    byId("result").replaceChildren(wait);
    try {
      const email = leavingFields(flow, mail, source);
      const body = { org_id: flow.org, email, inputs: typedInputs(flow) };
      const answer = await this.#send(flow, body);
      byId("result").replaceChildren(...resultOf(flow, mail, answer));
    } catch (problem) {
      wait.remove();
      showProblem(place, problem instanceof NoAnswer ? new PaneProblem("answer_lost") : problem);
      markInput(problem.members?.input);
    }
    if (this.#underWay !== run) return;
    this.#setUnderWay(null);
    this.#onRun();
  }

  /**
   * Every click has a key of its own, except one: where no answer came, the next click for the same
   * values repeats the key, so that what did run does not run again.
   */
  async #send(flow, body) {
    const text = JSON.stringify([flow.name, body]);
    const key = this.#attempt?.text === text ? this.#attempt.key : crypto.randomUUID();
    this.#attempt = { text, key };
    try {
      const answer = await this.#service.run(flow.name, body, key);
      this.#attempt = null;
      return answer;
    } catch (problem) {
      if (!(problem instanceof NoAnswer)) this.#attempt = null;
      throw problem;
    }
  }

  #setUnderWay(run) {
    this.#underWay = run;
    const button = byId("run-button");
    // Unlike `disabled`, this keeps the focus where it is.
    button.setAttribute("aria-disabled", String(run !== null));
    button.textContent = run ? "Running…" : "Run once";
  }
}

function resultOf(flow, mail, { status, outputs }) {
  const isWaiting = status === "waiting";
  const words = isWaiting ? "started, and waits for something" : "has run";
  const rows = Object.entries(outputs).map(([name, value]) =>
    element("div", { "data-output": name }, element("dt", {}, name), shown(value)),
  );
  return [
    element("h3", {}, isWaiting ? "Waiting" : "Done"),
    element("p", { "data-status": status }, `${flow.label} ${words} for “${mail.subject}”.`),
    rows.length
      ? element("dl", {}, ...rows)
      : element("p", { class: "quiet" }, "The Flow gave nothing back."),
  ];
}

function shown(value) {
  if (value === null) return element("dd", { class: "quiet" }, "empty");
  const values = [value].flat().map((one) =>
    element("span", { class: "value" }, typeof one === "object" ? JSON.stringify(one) : `${one}`),
  );
  return element("dd", {}, ...values);
}
