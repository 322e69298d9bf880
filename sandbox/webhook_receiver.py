"""The demo's receiver of webhooks: it verifies what comes, and prints it in the demo's console."""

import json
import secrets
from base64 import b64encode
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from rich.console import Console
from rich.markup import escape
from standardwebhooks import Webhook, WebhookVerificationError

HOST = "127.0.0.1"


def printed(console: Console) -> dict[str, str]:
    """Start a receiver on a free port of this machine, until the process ends; the settings by which it is notified."""
    secret = f"whsec_{b64encode(secrets.token_bytes(32)).decode()}"

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            """Answer 204 to what is signed, 401 to anything else."""
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            try:
                event = Webhook(secret).verify(body, dict(self.headers))
            except WebhookVerificationError:
                self.send_response(401)
            else:
                console.print(line(event), soft_wrap=True, highlight=False)
                self.send_response(204)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing but the events."""

    server = ThreadingHTTPServer((HOST, 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    entry = {"name": "demo", "url": f"http://{HOST}:{server.server_address[1]}/", "secret": secret}
    return {"webhook_urls": json.dumps([entry]), "webhook_private_hosts": HOST}


def line(event: dict[str, Any]) -> str:
    """An event as the console shows it."""
    data = event["data"]
    groups = ", ".join(group for task in data.get("waitingTasks", []) for group in task["groups"])
    whom = f"for {groups}" if groups else f"by {data['by']}" if data.get("by") else ""
    said = " ".join(filter(None, [data["event"], whom, data.get("headline") and f"({data['headline']})"]))
    return f"[bold]{'webhook':9}[/bold] {escape(said)}, draft {escape(str(data.get('draftId', '')))}"
