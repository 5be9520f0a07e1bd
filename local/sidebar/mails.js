/** Six made-up mails, and what a mail program knows about each of them. */

const ME = "me"; // stands for whoever reads the mailbox

const MAILS = [
  {
    id: "quote",
    from: { name: "Dana Ruiz", address: "dana.ruiz@fabrikam.example.com" },
    to: [ME],
    cc: ["purchasing@fabrikam.example.com"],
    subject: "Quote for 40 standing desks",
    sentAt: "2026-11-20T08:41:00Z",
    body:
      "Good morning,\n\nwe are moving to the third floor in January and need 40 standing desks, " +
      "160 cm, with cable trays. Could you send a quote by Wednesday?\n\nThe floor plan is " +
      "attached.\n\nDana",
    attachments: ["floor-plan.pdf"],
    thread: "19e1acd465710c93",
  },
  {
    id: "damaged",
    from: { name: "Omar Haddad", address: "omar.haddad@example.com" },
    to: [ME, "returns@contoso.example.com"],
    cc: [],
    subject: "Delivery 20871 arrived damaged",
    sentAt: "2026-11-20T07:15:32Z",
    body:
      "Hello,\n\ntwo of the six boxes were open and one lamp is broken. Photos are attached. " +
      "Please tell me how to send it back.\n\nOmar Haddad\n+44 20 7946 0000",
    attachments: ["box-1.jpg", "box-2.jpg"],
    thread: "19e1ac02f9d1b7a4",
  },
  {
    id: "renewal",
    from: { name: "Ines Vogel", address: "ines.vogel@contoso.example.com" },
    to: [ME, "sales@contoso.example.com", "legal@contoso.example.com"],
    cc: ["omar.haddad@example.com", "dana.ruiz@fabrikam.example.com"],
    subject: "Re: Renewal of the support contract",
    sentAt: "2026-11-19T16:02:10Z",
    body:
      "Hi all,\n\nthe contract ends on 31 December. They want two years instead of three, and " +
      "the answer within a day. I suggest that we agree.\n\nInes",
    attachments: [],
    thread: "19e19b7c3300fe51",
  },
  {
    id: "invoice",
    from: { name: "", address: "billing@example.com" },
    to: ["accounts@contoso.example.com"],
    cc: [ME],
    subject: "Invoice 2026-1148: the VAT number is wrong",
    sentAt: "2026-11-19T11:27:45Z",
    body: "This is an automatic message. Line 3 names a VAT number that does not exist.",
    attachments: ["2026-1148.pdf"],
    thread: "19e18d20aa4c6e08",
  },
  {
    id: "introduction",
    from: { name: "Claire Fontaine", address: "claire.fontaine@fabrikam.example.com" },
    to: [ME],
    cc: [],
    subject: "Your new contact for the Lyon site",
    sentAt: "2026-11-18T09:00:00Z",
    body:
      "Dear partner,\n\nfrom December on I look after purchasing in Lyon and take over from " +
      "Hugo. I would like to meet in the first week.\n\nClaire Fontaine",
    attachments: [],
    thread: "19e1394fd8b2907c",
  },
  {
    id: "special",
    from: { name: "Zoë O’Neill-Świątek", address: "zoe.oneill@example.com" },
    to: [ME],
    cc: ["cafe.orders@example.com"],
    subject: "<b>50 %</b> off & “naïve” café signs – 日本語 too? 🙂",
    sentAt: "2026-11-17T22:59:59Z",
    body: "Can your form take a subject like this one? Ours <script>could not</script>.",
    attachments: [],
    thread: "19e0f2c1077d5a3b",
  },
];

/** The mails as they lie in the mailbox of `address`. */
export const mailsFor = (address) =>
  MAILS.map((mail) => ({
    ...mail,
    to: mail.to.map((one) => (one === ME ? address : one)),
    cc: mail.cc.map((one) => (one === ME ? address : one)),
  }));

/**
 * All that a mail could tell the service, by the names of its email vocabulary. What the mail has
 * not is null. The text and the attachments are not in the vocabulary: they cannot leave.
 */
export const emailFields = (mail, source) => ({
  sender_email: mail.from.address,
  sender_name: mail.from.name || null,
  recipient_emails: mail.to.length ? mail.to : null,
  cc_emails: mail.cc.length ? mail.cc : null,
  subject: mail.subject,
  message_id: source === "outlook" ? `<${mail.thread}.${mail.id}@mail.example.com>` : mail.thread,
  thread_id: source === "outlook" ? `AAQkAD${mail.thread}=` : mail.thread,
  sent_at: mail.sentAt,
  source,
});
