"""A stand-in for W&B's server: takes runs over HTTP, has every artifact already, and remembers
what it was told.
"""

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

VIEWER = {"id": "u", "entity": "me", "username": "me", "flags": "{}", "teams": {"edges": []}}
VERSIONS = {"cliVersionInfo": {"max_cli_version": "9.9.9"}, "features": []}


class WandbServer(ThreadingHTTPServer):
    """`runs`: what each run began with, by its id; `history`: the rows that it logged."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.runs: dict[str, dict[str, Any]] = {}
        self.history: dict[str, list[dict[str, Any]]] = {}

    @property
    def environment(self) -> dict[str, str]:
        """What makes W&B's client talk to it."""
        address = f"http://127.0.0.1:{self.server_port}"
        return {"WANDB_BASE_URL": address, "WANDB_API_KEY": "a" * 40, "WANDB_MODE": "online"}

    def answer(self, query: str, told: dict[str, Any]) -> dict[str, Any]:
        """To one query of GraphQL."""
        if "psertBucket" in query:
            run = str(told["name"])
            self.runs.setdefault(run, told)
            entity = {"id": "e", "name": "me"}
            project = {"id": "p", "name": told["project"], "entity": entity}
            bucket = {"id": run, "name": run, "displayName": told["displayName"] or run}
            bucket |= {"config": "{}", "project": project, "historyLineCount": 0}
            return {"upsertBucket": {"bucket": bucket, "inserted": True}}
        if "CreateRunFiles" in query:
            address = self.environment["WANDB_BASE_URL"]
            files = [{"name": n, "uploadUrl": f"{address}/up/{n}"} for n in told["files"]]
            return {"createRunFiles": {"runID": told["run"], "uploadHeaders": [], "files": files}}
        if "createArtifact(" in query:  # it is there already: nothing is to be sent
            sequence = {"latestArtifact": {"id": "a"}}
            artifact = {"id": "a", "state": "COMMITTED", "artifactSequence": sequence}
            return {"createArtifact": {"artifact": artifact}}
        return {"viewer": VIEWER, "serverInfo": VERSIONS, "project": {"artifact": None}}

    def stream(self, path: str, files: dict[str, Any]) -> None:
        """Rows that a run has logged since the last time."""
        rows = files.get("wandb-history.jsonl", {}).get("content", [])
        self.history.setdefault(path.split("/")[-2], []).extend(map(json.loads, rows))


class _Handler(BaseHTTPRequestHandler):
    server: WandbServer

    def log_message(self, *words: Any) -> None:
        """Nothing on the screen."""

    def do_GET(self) -> None:
        self._say({})

    def do_PUT(self) -> None:
        self._body()
        self._say({})

    def do_POST(self) -> None:
        body = self._body()
        if self.path == "/graphql":
            content = json.loads(body)
            data = self.server.answer(content["query"], content.get("variables") or {})
            self._say({"data": data})
            return
        if self.path.endswith("file_stream"):
            self.server.stream(self.path, json.loads(body).get("files") or {})
        self._say({"exitcode": None, "limits": {}})

    def _body(self) -> bytes:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        return gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body

    def _say(self, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def wandb_server() -> Iterator[WandbServer]:
    """One that runs in a thread of this process."""
    server = WandbServer()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
