/**
 * The email vocabulary: what each field is called for people, and which inputs of a Flow it fills.
 *
 * Which fields leave is the service's word (`email_fields` of a description). The names below only
 * tell which inputs nobody has to type; tests/browser compares them with the service's own.
 */

export const FIELDS = {
  sender_email: { label: "Sender’s address", inputs: ["senderemail", "fromaddress", "from"] },
  sender_name: { label: "Sender’s name", inputs: ["sendername", "fromname"] },
  recipient_emails: { label: "Recipients", inputs: ["recipientemails", "toaddresses", "to"] },
  cc_emails: { label: "In copy (Cc)", inputs: ["ccemails", "ccaddresses", "cc"] },
  subject: { label: "Subject", inputs: ["subject"] },
  message_id: { label: "Id of the message", inputs: ["messageid", "internetmessageid"] },
  thread_id: { label: "Id of the conversation", inputs: ["threadid", "conversationid"] },
  sent_at: { label: "Time it was sent", inputs: ["sentat", "messagedate"] },
  source: { label: "Mail program", inputs: ["source", "mailclient"] },
};

const TEXT_TYPES = new Set(
  "STRING TEXTAREA PICKLIST MULTIPICKLIST EMAIL PHONE URL".split(" "),
);
const FIELD_OF = new Map(
  Object.entries(FIELDS).flatMap(([field, { inputs }]) => inputs.map((name) => [name, field])),
);

const without = (name, prefix) => (name.startsWith(prefix) ? name.slice(prefix.length) : name);

/** The field of the mail that an input asks for; null if it asks for none. */
export function fieldFor(input) {
  const plain = input.name.toLowerCase().replaceAll("_", "");
  const withoutFlr = without(plain, "flr");
  const spellings = [plain, withoutFlr, without(plain, "email"), without(withoutFlr, "email")];
  const field = FIELD_OF.get(spellings.find((name) => FIELD_OF.has(name))) ?? null;
  const takesTime = field === "sent_at" && input.type === "DATETIME";
  return TEXT_TYPES.has(input.type) || takesTime ? field : null;
}

/** The inputs that the mail does not fill: those a person may fill. */
export const inputsToType = (flow) =>
  flow.inputs.filter((input) => !flow.email_fields.includes(fieldFor(input)));
