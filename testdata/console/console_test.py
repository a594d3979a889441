"""Clicks through the console in a real browser.

    python console_test.py --url http://127.0.0.1:7878 --shots DIR

Works against `ouzel demo` and against mock_server.py. Needs Chromium: /usr/bin/chromium, or the path in OUZEL_CHROMIUM
or CHROMIUM. Exits 0 when all passed, 1 when not, 77 when there is no Chromium to run.
"""

import argparse
import json
import os
import re
import sys
import time
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

FLAGS = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync".split()
CAUSE_LIMIT_S = 60
SHIFT_LIMIT = 0.1
CPU_LIMIT = 0.2

SHIFTS = """
window.shifted = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    if (entry.hadRecentInput) continue;
    window.shifted += entry.value;
    const names = entry.sources.map((source) => source.node?.className || source.node?.parentElement?.className || "?");
    window.shifters = (window.shifters ?? []).concat(`${entry.value.toFixed(4)} ${names.join()}`).slice(-12);
  }
}).observe({ type: "layout-shift", buffered: true });
"""

STEPS = []


def step(check):
    STEPS.append(check)
    return check


class Session:
    """One browser, the page under test, and what it said on its console."""

    def __init__(self, browser, url, shots):
        self.browser, self.url, self.shots = browser, url, shots
        self.complaints = []
        self.page = self.open(1600, 1000)

    def open(self, width, height, theme="dark", prepare=None) -> Page:
        context = self.browser.new_context(viewport={"width": width, "height": height}, color_scheme=theme)
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.add_init_script(SHIFTS)
        page.complaints = []
        page.on("console", lambda m: page.complaints.append(f"{m.text} {m.location.get('url', '')}") if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda e: page.complaints.append(str(e)))
        if prepare:
            prepare(page)
        page.goto(self.url)
        return page

    def shot(self, name, page=None):
        # Nothing of ours is judged by it, and a busy machine takes its time to draw one.
        (page or self.page).screenshot(path=str(self.shots / f"{name}.png"), timeout=60_000)


ANSWERED = "document.querySelector('#why-body').getAttribute('aria-busy') === 'false'"
CHARTED = "document.querySelector('#chart-cover').dataset.kind === undefined"


def wait_until(page: Page, expression: str, limit_s: float = 15):
    """Polls; Playwright's own wait needs eval, which the console's policy forbids."""
    until = time.time() + limit_s
    while not page.evaluate(expression):
        assert time.time() < until, f"not true within {limit_s} s: {expression}"
        page.wait_for_timeout(50)


def ready(page: Page):
    page.wait_for_selector(".mover:not([hidden])", state="attached")
    wait_until(page, "document.body.dataset.connection === 'open'")


def calm(page: Page):
    shifted = page.evaluate("window.shifted")
    assert shifted <= SHIFT_LIMIT, f"layout shift {shifted:.3f}: {page.evaluate('window.shifters')}"
    return shifted


def ask(page: Page, question: str):
    page.keyboard.press("Escape")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("/")
    page.keyboard.type(question)
    page.keyboard.press("Enter")
    wait_until(page, ANSWERED, 30)


def canvas_colours(page: Page) -> int:
    """How many colours the chart's largest canvas has: an empty one has one or two."""
    return page.evaluate("""() => {
      const all = [...document.querySelectorAll('#chart-box canvas')].sort((a, b) => b.width * b.height - a.width * a.height);
      if (!all.length || !all[0].width) return 0;
      const sheet = new OffscreenCanvas(all[0].width, all[0].height);
      const pen = sheet.getContext('2d');
      for (const one of all.filter((c) => c.width === all[0].width && c.height === all[0].height)) pen.drawImage(one, 0, 0);
      const data = new Uint32Array(pen.getImageData(0, 0, sheet.width, sheet.height).data.buffer);
      return new Set(data).size;
    }""")


@step
def loads_with_movers(s: Session):
    ready(s.page)
    assert s.page.locator(".mover:visible").count() >= 10, "fewer than ten movers on the list"
    expect(s.page.locator("#feed-text")).to_have_text(re.compile("Live|Recovering"))
    expect(s.page.locator("#foot-version")).to_contain_text("Ouzel")
    assert s.page.locator(".attribution a[href='https://www.tradingview.com/']").is_visible(), "attribution link"


@step
def movers_update(s: Session):
    read = "[...document.querySelectorAll('.mover:not([hidden])')].map((r) => r.dataset.symbol + r.innerText).sort().join()"
    before = s.page.evaluate(read)
    wait_until(s.page, f"({read}) !== {json.dumps(before)}")


@step
def selects_with_keyboard(s: Session):
    s.page.keyboard.press("1")
    s.page.keyboard.press("j")
    s.page.keyboard.press("j")
    s.page.wait_for_timeout(150)
    wanted = s.page.locator(".mover[data-cursor='true']:visible").get_attribute("data-symbol")
    s.page.keyboard.press("Enter")
    expect(s.page.locator("#chart-symbol")).to_have_text(wanted)
    expect(s.page.locator("#ladder-symbol")).to_have_text(wanted)


@step
def selects_with_mouse(s: Session):
    row = s.page.locator(".mover:visible").nth(4)
    row.hover()
    expect(s.page.locator("#movers-held")).to_be_visible()
    wanted = row.get_attribute("data-symbol")
    row.click()
    expect(s.page.locator("#chart-symbol")).to_have_text(wanted)
    expect(s.page.locator(f".mover[data-symbol='{wanted}']")).to_have_attribute("aria-selected", "true")
    s.page.mouse.move(800, 20)


@step
def filter_narrows(s: Session):
    wanted = s.page.locator("#chart-symbol").inner_text()
    s.page.keyboard.press("f")
    s.page.keyboard.type(wanted)
    expect(s.page.locator(f".mover[data-symbol='{wanted}']:visible")).to_have_count(1)
    assert all(wanted in text.upper() for text in s.page.locator(".mover:visible").all_inner_texts()), "the filter lets others through"
    s.page.keyboard.press("Control+a")
    s.page.keyboard.type("no such name")
    expect(s.page.locator("#movers-cover")).to_contain_text("No symbol matches")
    s.page.keyboard.press("Escape")
    wait_until(s.page, "document.querySelectorAll('.mover:not([hidden])').length > 5")
    s.page.evaluate("document.activeElement.blur()")


@step
def chart_is_drawn(s: Session):
    wait_until(s.page, CHARTED)
    s.page.wait_for_timeout(600)
    colours = canvas_colours(s.page)
    assert colours > 8, f"the chart shows {colours} colours"
    s.page.keyboard.press("m")
    expect(s.page.locator("#chart [data-span='1m']")).to_have_attribute("aria-checked", "true")
    wait_until(s.page, "document.querySelector('#chart-cover').dataset.kind !== 'loading'")
    s.page.keyboard.press("m")
    wait_until(s.page, CHARTED)


@step
def ladder_has_ten_levels(s: Session):
    full = """['bid', 'ask'].every((side) =>
      [...document.querySelectorAll(`.levels td.px.${side}`)].filter((td) => td.textContent.trim()).length === 10)"""
    for _ in range(8):
        s.page.wait_for_timeout(600)
        if s.page.evaluate(full):
            break
        # A quiet symbol may rest on fewer levels; the next one need not.
        s.page.keyboard.press("j")
        s.page.keyboard.press("Enter")
    assert s.page.evaluate(full), "no symbol with ten levels a side"
    number = lambda selector: [float(t.replace(",", "")) for t in s.page.locator(selector).all_inner_texts()]
    bids, asks = s.page.evaluate("""() => ['bid', 'ask'].map((side) =>
      [...document.querySelectorAll(`.levels td.px.${side}`)].map((td) => Number(td.textContent.replaceAll(',', ''))))""")
    assert bids == sorted(bids, reverse=True) and asks == sorted(asks), "levels out of order"
    assert number(".levels td.qty.bid span")[0] > 0, "no size at the best bid"


@step
def feed_shows_both_lines(s: Session):
    for line in ("a", "b"):
        expect(s.page.locator(f"#line-{line}")).to_have_attribute("aria-label", re.compile("first with|no data"))
    s.page.locator("#line-a").click()
    expect(s.page.locator("#lines-body")).to_be_visible()
    expect(s.page.locator("#lines-body")).to_contain_text("Duplicates")
    s.page.keyboard.press("3")
    expect(s.page.locator("#ladder-body")).to_be_visible()


@step
def theme_changes_colours(s: Session):
    colour = "getComputedStyle(document.querySelector('#movers')).backgroundColor"
    dark = s.page.evaluate(colour)
    s.page.keyboard.press("t")
    light = s.page.evaluate(colour)
    assert dark != light, f"both themes are {dark}"
    s.page.wait_for_timeout(300)
    s.shot("light")
    s.page.locator("#theme-button").click()
    assert s.page.evaluate(colour) == dark, "the theme did not come back"
    assert s.page.evaluate("localStorage.getItem('ouzel.theme')") == "dark", "the choice is not remembered"


@step
def shortcuts_are_listed(s: Session):
    s.page.keyboard.press("?")
    expect(s.page.locator("#help")).to_be_visible()
    s.shot("keys")
    s.page.keyboard.press("Escape")
    expect(s.page.locator("#help")).to_be_hidden()


@step
def answers_with_a_citation(s: Session):
    until = time.time() + CAUSE_LIMIT_S
    while True:
        ask(s.page, "What is moving and why?")
        if s.page.locator("li.citation").count():
            break
        expect(s.page.locator(".no-cause, .answer-text").first).to_be_visible()
        assert time.time() < until, f"no cited answer within {CAUSE_LIMIT_S} s"
        s.page.wait_for_timeout(3_000)
    expect(s.page.locator(".receipt")).to_be_visible()
    s.page.evaluate("document.activeElement.blur()")
    s.shot("dark")
    s.page.locator(".receipt summary").click()
    expect(s.page.locator(".stage")).to_have_count(10)
    expect(s.page.locator(".proof[data-level='ok']").first).to_be_visible()
    s.shot("receipt")


@step
def citation_opens_its_document(s: Session):
    quote = s.page.locator("li.citation mark").first.text_content()
    s.page.locator("li.citation .open-document").first.click()
    mark = s.page.locator("#drawer-mark")
    expect(mark).to_be_visible()
    assert mark.text_content() == quote, f"highlighted {mark.text_content()!r}, cited {quote!r}"
    expect(s.page.locator("#drawer-proof")).to_have_attribute("data-level", "ok")
    s.page.wait_for_timeout(250)
    s.shot("drawer")
    s.page.keyboard.press("Escape")
    expect(s.page.locator("#drawer")).to_be_hidden()


@step
def why_from_a_signal_is_as_of_then(s: Session):
    row = s.page.locator(".signal").first
    expect(row).to_be_visible(timeout=CAUSE_LIMIT_S * 1_000)
    symbol = row.get_attribute("data-symbol")
    with s.page.expect_request("**/v1/ask") as asked:
        s.page.locator(f".signal[data-symbol='{symbol}'] .row-why").first.click()
    body = asked.value.post_data_json
    assert body["symbol"] == symbol and body["as_of"], f"asked {body}"
    expect(s.page.locator("#asof-chip")).to_have_attribute("data-past", "true")
    wait_until(s.page, ANSWERED, 30)
    s.page.locator("#asof-chip").click()
    expect(s.page.locator("#asof-text")).to_have_text("now")


@step
def marker_on_the_chart_asks_why(s: Session):
    jump = s.page.locator(".signal[data-way='up'], .signal[data-way='down']").first
    symbol = jump.get_attribute("data-symbol", timeout=CAUSE_LIMIT_S * 1_000)
    s.page.locator(f".signal[data-symbol='{symbol}'] .t-symbol").first.click()
    expect(s.page.locator("#chart-symbol")).to_have_text(symbol)
    for key in ("m", "m"):
        wait_until(s.page, CHARTED)
        s.page.wait_for_timeout(500)
        if click_marker(s.page):
            s.page.keyboard.press("Escape")
            return
        # Out of sight in seconds may be in sight in minutes.
        s.page.keyboard.press(key)
    raise AssertionError("no marker on the chart can be clicked")


def click_marker(page: Page) -> bool:
    box = page.locator("#chart-box").bounding_box()
    places = page.evaluate("import('/assets/chart.js').then((chart) => chart.markerPlaces())")
    for place in reversed(places):
        for offset in (0, -8, 8, -14, 14, -20, 20, -26, 26):
            x, y = box["x"] + place["x"], box["y"] + place["y"] + offset
            page.mouse.move(x, y)
            page.wait_for_timeout(30)
            if page.evaluate("document.querySelector('#chart-box').dataset.hover") != "true":
                continue
            with page.expect_request("**/v1/ask") as asked:
                page.mouse.click(x, y)
            assert asked.value.post_data_json["as_of"], "no instant in the question"
            wait_until(page, ANSWERED, 30)
            return True
    return False


@step
def question_without_a_cause(s: Session):
    ask(s.page, "Did a volcano on Neptune change the price of zircon tiles?")
    expect(s.page.locator(".no-cause")).to_contain_text("No cause found")
    s.shot("no-cause")


@step
def search_finds_documents(s: Session):
    s.page.evaluate("document.activeElement.blur()")
    s.page.keyboard.press("s")
    s.page.keyboard.press("Control+a")
    s.page.keyboard.type("revenue guidance results company")
    s.page.keyboard.press("Enter")
    expect(s.page.locator("li.hit").first).to_be_visible()
    s.shot("search")
    s.page.locator("li.hit .open-document").first.click()
    expect(s.page.locator("#drawer-mark")).to_be_visible()
    s.page.keyboard.press("Escape")
    s.page.locator("#mode-ask").click()


@step
def refused_request_is_explained(s: Session):
    s.page.route("**/v1/ask", lambda route: route.abort())
    ask(s.page, "What is moving and why?")
    expect(s.page.locator(".why-error")).to_contain_text("cannot be reached")
    s.shot("ask-error")
    s.page.unroute("**/v1/ask")
    s.page.locator(".why-error .button").click()
    expect(s.page.locator(".receipt")).to_be_visible()


@step
def page_stays_calm(s: Session):
    shifted = calm(s.page)
    client = s.page.context.new_cdp_session(s.page)
    client.send("Performance.enable")
    read = lambda: {m["name"]: m["value"] for m in client.send("Performance.getMetrics")["metrics"]}
    before, began = read(), time.time()
    s.page.wait_for_timeout(4_000)
    after, passed = read(), time.time() - began
    share = lambda name: (after[name] - before[name]) / passed
    # Script and layout are ours; painting without a GPU says more about the machine.
    ours = share("ScriptDuration") + share("LayoutDuration") + share("RecalcStyleDuration")
    print(f"  script and layout {ours:.1%}, main thread {share('ThreadTime'):.1%}, layout shift {shifted:.4f}")
    assert ours < CPU_LIMIT, f"script and layout take {ours:.0%} of a core"


@step
def nothing_was_complained(s: Session):
    # The aborted question was ours; minute bars may be refused until the first minute is over.
    wrong = [c for c in s.page.complaints if "/v1/ask" not in c and "span=1m" not in c]
    assert not wrong, wrong


@step
def lost_connection_is_shown_and_comes_back(s: Session):
    state = {"down": False, "sockets": []}

    def relay(socket):
        if state["down"]:
            socket.close(code=1012, reason="down")
            return
        socket.connect_to_server()
        state["sockets"].append(socket)

    page = s.open(1280, 720, prepare=lambda p: p.route_web_socket("**/v1/stream", relay))
    ready(page)
    page.wait_for_timeout(500)
    s.shot("laptop", page)
    state["down"] = True
    page.route("**/v1/**", lambda route: route.abort())
    for socket in state["sockets"]:
        socket.close(code=1012, reason="down")
    expect(page.locator("#banner")).to_be_visible()
    expect(page.locator("#banner-text")).to_contain_text(re.compile("Retrying in|Connecting"))
    page.wait_for_timeout(2_500)
    expect(page.locator("#banner-text")).to_contain_text("ago")
    s.shot("disconnected", page)
    state["down"] = False
    page.unroute("**/v1/**")
    page.locator("#banner-retry").click()
    expect(page.locator("#banner")).to_be_hidden(timeout=12_000)
    page.context.close()


@step
def first_load_that_fails_is_explained(s: Session):
    def prepare(page):
        page.route("**/v1/**", lambda route: route.abort())
        page.route_web_socket("**/v1/stream", lambda socket: socket.close(code=1012, reason="down"))

    page = s.open(1280, 720, prepare=prepare)
    expect(page.locator("#movers-cover")).to_contain_text("cannot be reached")
    expect(page.locator("#banner")).to_be_visible()
    s.shot("unreachable", page)
    page.context.close()


@step
def empty_market_is_explained(s: Session):
    def prepare(page):
        page.route("**/v1/symbols*", lambda r: r.fulfill(json={"as_of": None, "feed": None, "symbols": []}))
        page.route("**/v1/signals*", lambda r: r.fulfill(json={"signals": []}))
        page.route_web_socket("**/v1/stream", lambda socket: socket.send(json.dumps({"type": "hello", "version": "empty", "conflated": 0})))

    page = s.open(1280, 720, "light", prepare)
    expect(page.locator("#movers-cover")).to_contain_text("No symbols yet")
    expect(page.locator("#tape-cover")).to_contain_text("No signals yet")
    expect(page.locator("#chart-cover")).to_contain_text("No symbol is open")
    s.shot("empty", page)
    page.context.close()


@step
def markup_stays_text(s: Session):
    row = dict(symbol="EVIL", name="<img src=x onerror=alert(1)>", last=1.5, open=1.0, change_bp=5000, volume=10, vwap=None, bid=None, ask=None, integrity="ok", state="trading", signals=0, ts_event=None)

    def prepare(page):
        page.route("**/v1/symbols*", lambda r: r.fulfill(json={"as_of": None, "feed": None, "symbols": [row]}))
        page.route_web_socket("**/v1/stream", lambda socket: socket.send(json.dumps({"type": "hello", "version": "markup", "conflated": 0})))

    page = s.open(1280, 720, prepare=prepare)
    expect(page.locator(".m-name").first).to_have_text(row["name"])
    assert page.locator(".movers img").count() == 0, "a name became an element"
    page.context.close()


@step
def waiting_is_shown(s: Session):
    def prepare(page):
        page.route("**/v1/**", lambda route: held.append(route))
        page.route_web_socket("**/v1/stream", lambda socket: None)

    held = []
    page = s.open(1280, 720, prepare=prepare)
    expect(page.locator("#movers-cover .skeleton")).to_be_visible()
    page.wait_for_timeout(300)
    s.shot("loading", page)
    for route in held:
        route.abort()
    page.context.close()


@step
def phone_fits(s: Session):
    page = s.open(390, 844)
    ready(page)
    for tab in ("movers", "chart", "ladder", "tape", "lines", "why"):
        page.locator(f".tabs [data-tab='{tab}']").click()
        expect(page.locator(f"#{tab}")).to_be_visible()
        page.wait_for_timeout(250)
        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, f"{tab} is {wide} px too wide"
        s.shot(f"phone-{tab}", page)
    page.locator(".tabs [data-tab='movers']").click()
    page.locator(".mover:visible .row-why").first.click()
    expect(page.locator("#why")).to_be_visible()
    wait_until(page, ANSWERED, 30)
    s.shot("phone-answer", page)
    calm(page)
    assert not page.complaints, page.complaints
    page.context.close()


@step
def sizes_between(s: Session):
    for width, height in ((1280, 720), (1440, 900), (1920, 1080), (2560, 1440)):
        page = s.open(width, height)
        ready(page)
        page.wait_for_timeout(700)
        over = page.evaluate("""() => [...document.querySelectorAll('.panel-head, .ladder-facts, .topbar, .command')]
          .filter((e) => e.offsetParent && e.scrollWidth > e.clientWidth + 1).map((e) => e.className)""")
        assert not over, f"{over} overflow at {width}x{height}"
        s.shot(f"size-{width}", page)
        page.context.close()


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--url", required=True)
    options.add_argument("--shots", required=True, type=Path)
    options.add_argument("--only", help="run steps whose name contains this, after the first")
    chosen = options.parse_args()
    chosen.shots.mkdir(parents=True, exist_ok=True)
    chromium = os.environ.get("OUZEL_CHROMIUM") or os.environ.get("CHROMIUM") or "/usr/bin/chromium"
    if not Path(chromium).exists():
        print(f"skipped: no {chromium}; apt-get install chromium, or set OUZEL_CHROMIUM")
        return 77
    passed = failed = 0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        session = Session(browser, chosen.url, chosen.shots)
        for number, check in enumerate(STEPS):
            if chosen.only and number and chosen.only not in check.__name__:
                continue
            name = check.__name__.replace("_", " ")
            began = time.time()
            try:
                check(session)
                passed += 1
                print(f"ok    {name} ({time.time() - began:.1f} s)", flush=True)
            except Exception as error:  # Every kind of failure counts and the next step still runs.
                failed += 1
                print(f"FAIL  {name}: {str(error)[:600]}", flush=True)
                session.shot(f"failed-{check.__name__}")
        browser.close()
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
