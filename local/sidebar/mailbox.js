/** The mail program beside the pane: a list of mails, and the one that is open. */

import { byId, element, shortTime } from "./dom.js";

const initials = ({ name, address }) =>
  (name || address)
    .split(/[\s@]+/u)
    .slice(0, name ? 2 : 1)
    .map((word) => [...word][0])
    .join("")
    .toUpperCase();

export class Mailbox {
  #onOpen;

  /** `onOpen(mail)` is called for the mail that is chosen, the first one included. */
  constructor(onOpen) {
    this.#onOpen = onOpen;
  }

  show(mails, owner) {
    byId("mailbox-owner").textContent = owner;
    byId("mails").replaceChildren(...mails.map((mail) => this.#item(mail)));
    this.#open(mails[0]);
  }

  #item(mail) {
    const open = element(
      "button",
      { type: "button", id: `mail-${mail.id}`, class: "mail" },
      element("span", { class: "avatar", "aria-hidden": "true" }, initials(mail.from)),
      element("span", { class: "from" }, mail.from.name || mail.from.address),
      element("time", { class: "time", datetime: mail.sentAt }, shortTime(mail.sentAt)),
      element("span", { class: "subject" }, mail.subject),
    );
    open.addEventListener("click", () => this.#open(mail));
    return element("li", {}, open);
  }

  #open(mail) {
    for (const one of byId("mails").querySelectorAll("button")) {
      if (one.id === `mail-${mail.id}`) one.setAttribute("aria-current", "true");
      else one.removeAttribute("aria-current");
    }
    byId("mail-subject").textContent = mail.subject;
    const { name, address } = mail.from;
    byId("mail-from").textContent = name ? `${name} <${address}>` : address;
    const copies = mail.cc.length ? `, Cc ${mail.cc.join(", ")}` : "";
    byId("mail-to").textContent = `To ${mail.to.join(", ")}${copies}`;
    byId("mail-body").textContent = mail.body;
    byId("mail-attachments").replaceChildren(
      ...mail.attachments.map((file) => element("li", {}, file)),
    );
    this.#onOpen(mail);
  }
}
