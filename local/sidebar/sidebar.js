/**
 * The pane beside a mail: who you are, your Salesforce, your Flows, your runs, your data.
 *
 * Each part of the page has a file of its own; here they meet. The order of a visit: sign in
 * (sign_in_view.js), connect an org (salesforce_view.js), choose a Flow and see what would leave
 * (flows_view.js), run it (run_form.js), see what is kept (history_view.js, data_view.js), and be
 * forgotten (deletion_view.js).
 */

import { DataView } from "./data_view.js";
import { DeletionView } from "./deletion_view.js";
import { announce, byId, show } from "./dom.js";
import { FlowsView } from "./flows_view.js";
import { HistoryView } from "./history_view.js";
import { Mailbox } from "./mailbox.js";
import { mailsFor } from "./mails.js";
import { showProblem } from "./problems.js";
import { RunForm } from "./run_form.js";
import { ScreenFlow } from "./screen_flow.js";
import { SalesforceView } from "./salesforce_view.js";
import { Service, SessionOver } from "./service.js";
import { SignInView } from "./sign_in_view.js";

class Pane {
  #service;
  #data;
  #deletion;
  #flows;
  #history;
  #runForm;
  #salesforce;
  #source = null;

  constructor(config) {
    this.#service = new Service(config.service, {
      sessionEnd: () => this.#signedOut("Your session has ended. Please sign in again."),
      connectionLost: () => this.#lookAtConnections(),
    });
    this.#history = new HistoryView(this.#service);
    this.#runForm = new RunForm(this.#service, () => this.#history.refresh());
    const screenFlow = new ScreenFlow(this.#service, config.lightning_out_app_id);
    this.#flows = new FlowsView(this.#service, this.#runForm, screenFlow);
    this.#salesforce = new SalesforceView(this.#service, config, (org) => this.#flows.showOrg(org));
    const mailbox = new Mailbox((mail) => this.#flows.openMail(mail, this.#source));
    byId("sign-out").addEventListener("click", () => this.#signOut());
    const signIn = new SignInView(this.#service, config, {
      onPerson: ({ address, source }) => {
        this.#source = source;
        mailbox.show(mailsFor(address), address);
      },
      onSignedIn: (person) => this.#signedIn(person),
    });
    this.#data = new DataView(this.#service, {
      signInAgain: () => signIn.again(),
      onConfirmed: (asked) => this.#beForgotten(asked),
    });
    this.#deletion = new DeletionView(this.#service, () => this.#offerSignIn());
    show("sign-in", true);
  }

  async #signedIn({ name }) {
    byId("account").textContent = `${name}, signed in`;
    show("sign-in", false);
    show("sign-out", true);
    announce(`Signed in as ${name}.`);
    try {
      this.#data.appear();
      await Promise.all([this.#salesforce.refresh(), this.#history.refresh()]);
      byId(byId("connect").hidden ? "flows-title" : "connect-title").focus();
    } catch (problem) {
      showProblem(byId("problem-page"), problem);
    }
  }

  async #lookAtConnections() {
    try {
      await this.#salesforce.refresh();
    } catch (problem) {
      showProblem(byId("problem-salesforce"), problem);
    }
  }

  async #signOut() {
    byId("problem-page").replaceChildren();
    try {
      await this.#service.signOut();
      this.#signedOut("Signed out on every device.");
    } catch (problem) {
      if (!(problem instanceof SessionOver)) this.#signedOut("Signed out on this device only.");
      showProblem(byId("problem-page"), problem);
    }
  }

  #signedOut(words) {
    this.#forgetWhoWasHere();
    announce(words);
    this.#offerSignIn();
  }

  /** The session is over; the receipt is waited for before anybody else is asked in. */
  #beForgotten(asked) {
    this.#forgetWhoWasHere();
    announce("Confirmed. Your session has ended.");
    this.#deletion.follow(asked);
  }

  #forgetWhoWasHere() {
    this.#salesforce.clear();
    this.#runForm.clear();
    this.#history.clear();
    this.#data.clear();
    byId("account").textContent = "Not signed in";
    show("sign-out", false);
  }

  #offerSignIn() {
    show("sign-in", true);
    byId("sign-in-title").focus();
  }
}

const answer = await fetch("/config.json");
new Pane(await answer.json());
