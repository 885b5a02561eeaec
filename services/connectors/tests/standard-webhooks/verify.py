"""Reads messages as a JSON list from standard input and writes, as a list, which of them the official library takes."""

import json
import sys

from standardwebhooks import Webhook, WebhookVerificationError


def is_taken(message):
    try:
        Webhook(message["secret"]).verify(message["body"].encode(), message["headers"])
    except WebhookVerificationError:
        return False
    return True


print(json.dumps([is_taken(message) for message in json.load(sys.stdin)]))
