"""authres as a referee: the Authentication-Results fields of the message on standard input, as JSON."""
import email
import email.policy
import json
import sys

import authres

message = email.message_from_bytes(sys.stdin.buffer.read(), policy=email.policy.compat32)
found = []
for value in message.get_all("Authentication-Results", []):
    field = authres.AuthenticationResultsHeader.parse("Authentication-Results: " + value)
    found.append({
        "by": field.authserv_id,
        "results": [
            {
                "method": one.method,
                "result": one.result,
                "reason": one.reason,
                "properties": {f"{p.type}.{p.name}": p.value for p in one.properties},
            }
            for one in field.results
        ],
    })
print(json.dumps(found))
