#!/usr/bin/env python3
"""A real Prometheus scrapes a running demo; every panel of the dashboard and every alert is asked of it.

    dashboards_test.py --url http://127.0.0.1:7878 --prometheus PATH

Each expression must be understood and must find series, save those of parts that the demo does not switch on:
their names must at least be written in the source of the metrics page. Alerts must load, and those about loss or
silence must not fire on a demo that is well.
"""
import argparse, json, pathlib, re, socket, subprocess, sys, tempfile, time, urllib.parse, urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
DASHBOARD = ROOT / "deploy/grafana/ouzel.json"
RULES = ROOT / "deploy/prometheus/ouzel.rules.yml"
# Parts that the demo leaves off unless asked: connectors to WebSocket venues, the FIX door.
OFF_IN_DEMO = ("ouzel_connector_", "ouzel_fix_")
CALM = {"OuzelDown", "OuzelFramesDropped", "OuzelBookUnequal", "OuzelRiskKilled"}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def get(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


def ask(base, expression):
    return get(f"{base}/api/v1/query?" + urllib.parse.urlencode({"query": expression}))["data"]["result"]


def wait_for(what, limit_s, ready):
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        try:
            if ready():
                return
        except OSError:
            pass
        time.sleep(0.3)
    sys.exit(f"failed: {what} did not come within {limit_s} s")


def names(expression):
    return set(re.findall(r"\bouzel_[a-z0-9_]+", expression))


def in_source(name):
    name = re.sub(r"_(bucket|count|sum)$", "", name)
    return any(f'"{name}"' in path.read_text() for path in (ROOT / "crates/server/src").rglob("*.rs"))


def panels():
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel.get("targets", []):
            expression = target["expr"].replace("$__rate_interval", "5s").replace("$instance", ".*")
            yield panel["title"], expression


def check(base):
    empty, found = [], 0
    for title, expression in panels():
        off = [name for name in names(expression) if name.startswith(OFF_IN_DEMO)]
        if off:
            unknown = [name for name in off if not in_source(name)]
            if unknown:
                empty.append(f"{title}: nothing of ours is called {', '.join(unknown)}")
            continue
        if ask(base, expression):
            found += 1
        else:
            empty.append(f"{title}: no series for {expression}")
    print(f"dashboard: {found} expressions with series")
    return empty


def check_alerts(base):
    groups = get(f"{base}/api/v1/rules")["data"]["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    wrong = [f"{rule['name']}: {rule['lastError']}" for rule in rules if rule.get("health") == "err"]
    wrong += [f"{rule['name']} is {rule['state']} on a calm demo" for rule in rules
              if rule["name"] in CALM and rule["state"] != "inactive"]
    for rule in rules:
        wrong += [f"{rule['name']}: nothing of ours is called {name}" for name in names(rule["query"])
                  if not in_source(name)]
    missing = CALM - {rule["name"] for rule in rules}
    wrong += [f"no alert is called {name}" for name in missing]
    print(f"alerts: {len(rules)} rules loaded")
    return wrong


def touch(url):
    """One question, so that the panels about questions have something to show."""
    body = json.dumps({"q": "what is moving and why?"}).encode()
    request = urllib.request.Request(f"{url}/v1/ask", body, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        answer.read()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--prometheus", required=True)
    options = parser.parse_args()
    port, base = free_port(), None
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "rules.yml").write_text(RULES.read_text())
        target = urllib.parse.urlparse(options.url).netloc
        (folder / "prometheus.yml").write_text(
            "global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: [rules.yml]\n"
            f"scrape_configs: [{{job_name: ouzel, static_configs: [{{targets: ['{target}']}}]}}]\n")
        base = f"http://127.0.0.1:{port}"
        with open(folder / "log", "w") as log:
            server = subprocess.Popen(
                [options.prometheus, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
                 f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)
            try:
                wait_for("Prometheus", 30, lambda: get(f"{base}/api/v1/status/runtimeinfo"))
                touch(options.url)
                wait_for("a scrape", 30, lambda: ask(base, "count_over_time(up[1m]) > 3"))
                touch(options.url)
                time.sleep(4)
                wrong = check(base) + check_alerts(base)
            finally:
                server.terminate()
                server.wait(20)
    if wrong:
        sys.exit("failed:\n  " + "\n  ".join(wrong))


main()
