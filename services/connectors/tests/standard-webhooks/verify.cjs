// Reads messages as a JSON list from standard input and writes, as a list, which of them the official library takes.

const { Webhook, WebhookVerificationError } = require("standardwebhooks");
const { readFileSync } = require("node:fs");

const isTaken = (message) => {
  try {
    new Webhook(message.secret).verify(message.body, message.headers);
  } catch (error) {
    if (error instanceof WebhookVerificationError) return false;
    throw error;
  }
  return true;
};

console.log(JSON.stringify(JSON.parse(readFileSync(0, "utf8")).map(isTaken)));
