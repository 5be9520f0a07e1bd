/** Runs the chosen Flow for the open mail, once, and shows what came back. */

import { byId, element } from "./dom.js";
import { markInput, typedInputs, unmarkInputs } from "./inputs_form.js";
import { leavingFields } from "./leaving.js";
import { clearProblem, showProblem } from "./problems.js";
import { NoAnswer } from "./service.js";

export class RunForm {
  #service;
  #onRun;
  #prepared = null; // {flow, mail, source}: what a click would run
  #attempt = null; // {body, key} of a run whose answer was lost
  #isRunning = false;

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

  async #run() {
    if (this.#isRunning) return; // the second half of a double click
    const place = byId("problem-run");
    const { flow, mail, source } = this.#prepared;
    clearProblem(place);
    unmarkInputs();
    const wait = element("p", { class: "quiet" }, "The Flow is running.");
    byId("result").replaceChildren(wait);
    this.#setRunning(true);
    try {
      const email = leavingFields(flow, mail, source);
      const body = { org_id: flow.org, email, inputs: typedInputs(flow) };
      const answer = await this.#send(flow, body);
      byId("result").replaceChildren(...resultOf(flow, mail, answer));
    } catch (problem) {
      wait.remove();
      showProblem(place, problem);
      markInput(problem.members?.input);
    } finally {
      this.#setRunning(false);
      this.#onRun();
    }
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

  #setRunning(isRunning) {
    this.#isRunning = isRunning;
    const button = byId("run-button");
    button.setAttribute("aria-disabled", String(isRunning)); // keeps the focus, unlike `disabled`
    button.textContent = isRunning ? "Running…" : "Run once";
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
  const isPlain = typeof value !== "object";
  const values = [value].flat().map((one) =>
    element("span", { class: "value" }, typeof one === "object" ? JSON.stringify(one) : `${one}`),
  );
  return element("dd", { class: isPlain ? "" : "many" }, ...values);
}
