"""Made-up answers over the made-up market: finds the newest planted story that was known by the instant asked about."""

import re
import time

from mock_market import Market, rfc3339

NO_CAUSE = "No document known by then explains this move."


def receipt(market: Market, as_of, abstained: bool):
    stages = dict(facts=38, embed=2_140, dense=310, text=122, fuse=9, rerank=0, assemble=44, answer=870, verify=16)
    stages["total"] = sum(stages.values())
    newest = max((d["known_at"] for d in market.documents.values()), default=None)
    return dict(
        as_of=as_of,
        asked_at=rfc3339(time.time_ns()),
        stream=dict(seq=market.seq, ts_event=rfc3339(market.now), freshness_ms=6, integrity="ok", feed_state="live"),
        memory=dict(seq=len(market.documents) + 211, newest_known_at=newest, freshness_ms=8_400),
        flags=["no_support"] if abstained else [],
        models=dict(embed="all-MiniLM-L6-v2-int8", answer="extractive"),
        candidates=dict(dense=40, text=18, fused=46),
        stages_us=stages,
        skipped=[],
    )


def known(market: Market, as_of):
    docs = [d for d in market.documents.values() if not as_of or d["known_at"] <= as_of]
    return sorted(docs, key=lambda d: d["known_at"], reverse=True)


def cite(doc):
    """The sentence about guidance, with its byte span."""
    sentence = re.search(r"The company (?:cut|raised)[^.]*(?:\.\d[^.]*)*\.", doc["text"]).group(0)
    start = len(doc["text"][: doc["text"].index(sentence)].encode())
    end = start + len(sentence.encode())
    return dict(document_id=doc["id"], title=doc["title"], source=doc["source"], start=start, end=end, quote=sentence, event_at=doc["event_at"], known_at=doc["known_at"], score=0.71)


def answer(market: Market, body):
    as_of, symbol = body.get("as_of"), body.get("symbol")
    stories = [d for d in known(market, as_of) if d["id"].startswith("news-")]
    if symbol:
        stories = [d for d in stories if symbol in d["symbols"]]
    elif not re.search(r"moving|move|mover|why|guidance", body["q"], re.I):
        stories = []
    facts = [fact(market, s, as_of) for s in ([symbol] if symbol in market.symbols else [r["symbol"] for r in market.rows()[:3]])]
    if not stories:
        return dict(answer=NO_CAUSE, abstained=True, citations=[], facts=facts, receipt=receipt(market, as_of, True))
    citations = [cite(d) for d in stories[: 1 if symbol else 3]]
    parts = [f"{d['symbols'][0]} moved after news: {c['quote'][0].lower()}{c['quote'][1:-1]} [{i + 1}]." for i, (d, c) in enumerate(zip(stories, citations))]
    return dict(answer=" ".join(parts), abstained=False, citations=citations, facts=facts, receipt=receipt(market, as_of, False))


def fact(market: Market, symbol: str, as_of):
    s = market.symbols[symbol]
    change = (s.last / s.open - 1) * 100
    return dict(symbol=symbol, text=f"{change:+.2f}% since the open, last {s.last:.2f}, volume {s.volume:,}", at=as_of or rfc3339(market.now), integrity=s.integrity)


def search(market: Market, body):
    words = set(re.findall(r"\w{3,}", body["q"].lower()))
    hits = []
    for doc in known(market, body.get("as_of")):
        if body.get("symbol") and body["symbol"] not in doc["symbols"]:
            continue
        score = sum(word in (doc["title"] + " " + doc["text"]).lower() for word in words)
        if score:
            passage = doc["text"][: doc["text"].index(". ", 120) + 1] if len(doc["text"]) > 200 else doc["text"]
            hits.append(dict(document_id=doc["id"], chunk_id=doc["id"] + "#0", title=doc["title"], source=doc["source"], symbols=doc["symbols"], text=passage, start=0, end=len(passage.encode()), event_at=doc["event_at"], known_at=doc["known_at"], score=score / (len(words) * 60), ranks=dict(dense=len(hits) + 2, text=len(hits) + 1)))
    hits.sort(key=lambda hit: -hit["score"])
    return dict(hits=hits[: body.get("k", 10)], receipt=receipt(market, body.get("as_of"), False))
