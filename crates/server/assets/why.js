// The Why panel: a question on its way, the answer with its citations and receipt, or an honest "no cause found".

import * as api from "./api.js";
import { byId, h, icon, show, skeleton } from "./dom.js";
import { fetchDocument, locate } from "./documents.js";
import { openDrawer } from "./drawer.js";
import { moment, percent, surroundings, timeOfDay } from "./format.js";
import { receiptView } from "./receipt.js";
import { searchHits } from "./hits.js";

const CONTEXT_CHARS = 72;
/** How long an answer waits for its documents, so that its cards appear whole and nothing moves afterwards. */
const DOCUMENTS_MS = 600;

let running = null;
let actions;
let last = null;

/** `ask(question)` repeats or starts a question; `submit(text)` asks as if typed. */
export function startWhy(given) {
  actions = given;
  byId("why-clear").addEventListener("click", clearWhy);
  byId("why-tall").addEventListener("click", toggleTall);
  clearWhy();
}

/** Gives the panel the whole column, or gives the ladder its place back. */
export function toggleTall() {
  setTall(document.body.dataset.why !== "tall");
}

export function setTall(tall) {
  document.body.dataset.why = tall ? "tall" : "";
  byId("why-tall").setAttribute("aria-pressed", String(tall));
}

/** Back to the invitation. */
export function clearWhy() {
  running?.abort();
  running = null;
  last = null;
  title("Why", "");
  show(byId("why-clear"), false);
  const examples = ["What is moving and why?", "Which stocks are halted?", "What is the biggest mover, and is there news?"];
  body(
    h(
      "div",
      { class: "why-idle" },
      h("p", { class: "cover-title" }, "Ask what moved, and why"),
      h("p", { class: "cover-text" }, "Answers quote the documents they rest on, word for word, as they were known at the instant you ask about."),
      h("div", { class: "examples" }, ...examples.map((text) => h("button", { type: "button", class: "example", onclick: () => actions.submit(text) }, text))),
      h("p", { class: "sub why-tip" }, "Or press Why? beside a mover, a signal, or a marker on the chart."),
    ),
  );
}

function title(text, meta) {
  byId("why-title").textContent = text;
  byId("why-meta").textContent = meta;
}

function body(...children) {
  byId("why-body").replaceChildren(...children);
  byId("why-body").scrollTop = 0;
}

const busy = (yes) => byId("why-body").setAttribute("aria-busy", String(yes));

function begin(kind, question) {
  running?.abort();
  running = new AbortController();
  last = question;
  show(byId("why-clear"), true);
  const scope = [question.symbol, question.as_of && `as of ${timeOfDay(question.as_of)}`].filter(Boolean).join(" · ");
  title(kind, scope);
  busy(true);
  return running;
}

/** Asks `{q, symbol?, as_of?}` and shows the answer as it comes. */
export async function ask(question) {
  const mine = begin("Why", question);
  const text = h("p", { class: "answer-text streaming" });
  const wait = skeleton(5, "text");
  body(h("p", { class: "question" }, question.q), text, wait);
  let streamed = "";
  const onToken = (token) => {
    streamed += token;
    text.textContent = streamed;
    wait.remove();
  };
  try {
    const request = { q: question.q };
    if (question.symbol) request.symbol = question.symbol;
    if (question.as_of) request.as_of = question.as_of;
    const answer = await api.ask(request, onToken, mine.signal);
    if (running !== mine) return;
    text.textContent = answer.answer ?? streamed;
    await documentsOf(answer, question);
    if (running === mine) showAnswer(question, answer);
  } catch (error) {
    if (running === mine && error.name !== "AbortError") fail(error, () => ask(question));
  } finally {
    if (running === mine) busy(false);
  }
}

const asOfAnswer = (answer, question) => answer.receipt?.as_of ?? question.as_of ?? null;

/** Fetches the cited documents; resolves when all came, or when waiting longer would be rude. */
function documentsOf(answer, question) {
  const asOf = asOfAnswer(answer, question);
  const all = (answer.citations ?? []).map((citation) => fetchDocument(citation.document_id, asOf).catch(() => null));
  return Promise.race([Promise.all(all), new Promise((resolve) => setTimeout(resolve, DOCUMENTS_MS))]);
}

/** Shows a bundle of evidence: an answer like any, with its own news, and what followed moments like it. */
export function showBundle(bundle) {
  const question = { q: bundle.q, symbol: bundle.symbol, as_of: bundle.at };
  begin("Evidence", question);
  running = null;
  busy(false);
  showAnswer(question, bundle, [...newsCards("Its own news, which states no cause", bundle.news, bundle.at), ...newsCards("News of its sector", bundle.peers, bundle.at), likeIt(bundle)]);
}

function newsCards(name, news, asOf) {
  if (!(news ?? []).length) return [];
  return [h("p", { class: "sub" }, name), h("ol", { class: "citations", "aria-label": name }, ...news.map((one, i) => citationCard(one, i + 1, asOf)))];
}

/** Past moments like the shock, and how prices moved after them. */
function likeIt(bundle) {
  const { similar } = bundle;
  if (!similar?.moments?.length) return h("p", { class: "sub" }, bundle.similar_missing ?? "No past moment like it is kept.");
  const lines = similar.outcomes.map((o) =>
    h("li", {}, h("span", { class: "sub" }, `${o.after} after`), h("span", { class: "num" }, o.known ? `median ${percent(o.median_bp)} · ${percent(o.min_bp)} to ${percent(o.max_bp)}` : "not known yet"), h("span", { class: "sub" }, o.known ? `${o.known} of ${o.known + o.unknown} moments` : "")),
  );
  return h("div", {}, h("p", { class: "sub" }, `${similar.moments.length} past moments like it, and what followed`), h("ul", { class: "facts", "aria-label": "What followed" }, ...lines));
}

function showAnswer(question, answer, beside = []) {
  const citations = answer.citations ?? [];
  const parts = [h("p", { class: "question" }, question.q)];
  if (answer.abstained) parts.push(noCause(answer));
  else parts.push(answerText(answer.answer ?? "", citations.length));
  const asOf = asOfAnswer(answer, question);
  if (citations.length) {
    const cards = citations.map((citation, i) => citationCard(citation, i + 1, asOf));
    parts.push(h("ol", { class: "citations", "aria-label": "Citations" }, ...cards));
  }
  parts.push(...beside);
  if ((answer.facts ?? []).length) parts.push(factStrip(answer.facts));
  if (answer.receipt) parts.push(receiptView(answer.receipt));
  body(...parts);
}

/** Text with each `[n]` as a button to its citation. */
function answerText(text, count) {
  const paragraph = h("p", { class: "answer-text" });
  for (const piece of text.split(/(\[\d+\])/)) {
    const number = /^\[(\d+)\]$/.exec(piece)?.[1];
    if (number && Number(number) >= 1 && Number(number) <= count) {
      paragraph.append(h("button", { type: "button", class: "cite", "aria-label": `Citation ${number}`, onclick: () => pointAt(number) }, number));
    } else paragraph.append(piece);
  }
  return paragraph;
}

function pointAt(number) {
  const card = byId("why-body").querySelector(`[data-citation="${number}"]`);
  card?.scrollIntoView({ block: "nearest" });
  card?.querySelector(".open-document")?.focus();
}

function noCause(answer) {
  const seen = answer.receipt?.candidates;
  const looked = seen ? `${(seen.dense ?? 0) + (seen.text ?? 0)} passages were read; none supports an answer.` : "No document known by then supports an answer.";
  return h(
    "div",
    { class: "no-cause" },
    icon("none", "big"),
    h("div", {}, h("p", { class: "no-cause-title" }, "No cause found"), h("p", { class: "no-cause-text" }, answer.answer || looked)),
  );
}

function factStrip(facts) {
  return h(
    "ul",
    { class: "facts", "aria-label": "Market facts" },
    ...facts.map((fact) =>
      h(
        "li",
        {},
        fact.symbol ? h("button", { type: "button", class: "fact-symbol", onclick: () => actions.open(fact.symbol) }, fact.symbol) : null,
        h("span", {}, fact.text),
        fact.integrity && fact.integrity !== "ok" ? h("span", { class: "badge", dataset: { level: "warn" } }, fact.integrity) : null,
      ),
    ),
  );
}

function citationCard(citation, number, asOf) {
  const passage = h("blockquote", { class: "passage" }, h("mark", {}, citation.quote));
  const proof = h("span", { class: "proof", dataset: { level: "idle" } });
  const card = h(
    "li",
    { class: "citation", dataset: { citation: String(number) } },
    h("div", { class: "citation-head" }, h("span", { class: "cite" }, String(number)), h("span", { class: "citation-title" }, citation.title || citation.document_id)),
    passage,
    h(
      "div",
      { class: "citation-meta" },
      citation.source ? h("span", { class: "source" }, citation.source) : null,
      h("span", {}, h("span", { class: "sub" }, "happened "), h("span", { class: "num" }, moment(citation.event_at, 0))),
      h("span", {}, h("span", { class: "sub" }, "known "), h("span", { class: "num" }, moment(citation.known_at, 0))),
      h("i", { class: "break" }),
      proof,
      h("button", { type: "button", class: "open-document link", onclick: () => openDrawer(citation, asOf) }, icon("doc"), "Open document"),
    ),
  );
  prove(citation, asOf, passage, proof);
  return card;
}

/** Shows the quote inside its passage, and whether the document really reads so. */
async function prove(citation, asOf, passage, proof) {
  try {
    const found = await fetchDocument(citation.document_id, asOf);
    const { before, quote, after, verbatim } = locate(found.text ?? "", citation.start, citation.end, citation.quote);
    if (verbatim) {
      const { lead, rest } = surroundings(before, after, CONTEXT_CHARS);
      passage.replaceChildren(lead, h("mark", {}, quote), rest);
    }
    proof.dataset.level = verbatim ? "ok" : "bad";
    proof.replaceChildren(icon(verbatim ? "check" : "alert"), verbatim ? "verbatim" : "not in document");
  } catch {
    proof.dataset.level = "warn";
    proof.replaceChildren(icon("alert"), "unchecked");
  }
}

/** Searches `{q, symbol?, as_of?}` and lists the passages. */
export async function search(question) {
  const mine = begin("Search", question);
  body(h("p", { class: "question" }, question.q), skeleton(4, "cards"));
  try {
    const request = { q: question.q, k: 20 };
    if (question.symbol) request.symbol = question.symbol;
    if (question.as_of) request.as_of = question.as_of;
    const answer = await api.search(request, mine.signal);
    if (running !== mine) return;
    const parts = [h("p", { class: "question" }, question.q), searchHits(answer.hits ?? [], question)];
    if (answer.receipt) parts.push(receiptView(answer.receipt));
    body(...parts);
  } catch (error) {
    if (running === mine && error.name !== "AbortError") fail(error, () => search(question));
  } finally {
    if (running === mine) busy(false);
  }
}

function fail(error, again) {
  body(
    h("p", { class: "question" }, last?.q ?? ""),
    h(
      "div",
      { class: "why-error", role: "alert" },
      icon("alert", "big"),
      h("div", {}, h("p", { class: "no-cause-title" }, error.message), h("p", { class: "no-cause-text" }, error.hint ?? ""), h("button", { type: "button", class: "button small", onclick: again }, "Try again")),
    ),
  );
}
