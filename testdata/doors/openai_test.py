"""A running demo through OpenAI's own Python client, unchanged: models, embeddings, chat completions, whole and in
pieces, and how the client sees what is refused. Status 77: something that it needs is not installed."""

import argparse
import json
import math
import sys
import urllib.request

try:
    import openai
    from openai import OpenAI
except ImportError as missing:
    print(f"skipped: no {missing.name}; cargo xtask test installs it")
    sys.exit(77)

MILL = {
    "id": "doors/the mill", "title": "Mill stops", "source": "wire", "symbols": ["FLRX"], "url": "http://127.0.0.1/mill",
    "text": "Flour prices rose on Monday. The mill in Łódź stopped at noon after a fire in its grain elevator.",
}
YEAST = {"id": "doors/yeast #2", "text": "Yeast makers said that a shortage of molasses will hold until the harvest of beets."}
ASK_MILL = "What stopped at noon after a fire in the grain elevator?"


def post(url, body):
    request = urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def refused(kind, word, call):
    """The client must raise `kind`, and its words must name what is wrong."""
    try:
        call()
    except kind as error:
        body = error.body
        assert word in str(error), f"{word!r} is not in {error}"
        assert set(body) >= {"message", "type", "param", "code"}, body
        return error
    raise AssertionError(f"{word}: was not refused")


def models(client):
    names = [model.id for model in client.models.list()]
    assert "ouzel" in names and len(names) >= 2, names
    assert client.models.retrieve(names[-1]).id == names[-1]
    error = refused(openai.NotFoundError, "gpt-9", lambda: client.models.retrieve("gpt-9"))
    assert error.code == "model_not_found" and error.param == "model", error.body
    return names[-1]


def embeddings(client, model):
    texts = ["Why did gross margin fall?", "Flour is dear: żółć 🍞", "a"]
    packed = client.embeddings.create(model=model, input=texts)
    floats = client.embeddings.create(model=model, input=texts, encoding_format="float")
    assert [row.index for row in packed.data] == [0, 1, 2]
    for one, other in zip(packed.data, floats.data):
        assert len(one.embedding) == 384 and abs(math.hypot(*one.embedding) - 1) < 1e-3
        assert max(abs(a - b) for a, b in zip(one.embedding, other.embedding)) < 1e-6
    alone = client.embeddings.create(model=model, input=texts[0], dimensions=384, user="me")
    near = sum(a * b for a, b in zip(alone.data[0].embedding, floats.data[0].embedding))
    assert near > 0.99, near
    assert 3 <= alone.usage.prompt_tokens == alone.usage.total_tokens < 20
    raw = client.embeddings.with_raw_response.create(model=model, input="x")
    assert float(raw.headers["x-embed-latency"]) >= 0 and "embed;dur=" in raw.headers["server-timing"]
    long = "flour " * 2_000
    create = client.embeddings.create
    refused(openai.BadRequestError, "'dimensions'", lambda: create(model=model, input="x", dimensions=256))
    refused(openai.BadRequestError, "tokens", lambda: create(model=model, input=[[1, 2, 3]]))
    refused(openai.BadRequestError, "input 1 is empty", lambda: create(model=model, input=["x", ""]))
    refused(openai.BadRequestError, "'input' has 0", lambda: create(model=model, input=[]))
    refused(openai.BadRequestError, "input 0 has 2", lambda: create(model=model, input=long))
    refused(openai.BadRequestError, "'colour'", lambda: create(model=model, input="x", extra_body={"colour": "red"}))
    refused(openai.NotFoundError, "text-embedding-3-small", lambda: create(model="text-embedding-3-small", input="x"))
    cut = create(model=model, input=long, extra_body={"truncate": True})
    assert cut.usage.prompt_tokens == 256, cut.usage


def cited(content, annotations):
    """Every annotation covers its mark, and the mill is among what they name."""
    assert annotations, content
    for annotation in annotations:
        cite = annotation["url_citation"]
        mark = content[cite["start_index"] : cite["end_index"]]
        assert mark.startswith("[") and mark.endswith("]"), (mark, content)
    assert MILL["url"] in [annotation["url_citation"]["url"] for annotation in annotations]


def chat(client):
    ask = client.chat.completions.create
    system = {"role": "system", "content": "You are a careful analyst."}
    raw = client.chat.completions.with_raw_response.create(
        model="ouzel", messages=[system, {"role": "user", "content": ASK_MILL}], temperature=0, max_tokens=200
    )
    assert "text;dur=" in raw.headers["server-timing"] and float(raw.headers["x-search-latency"]) >= 0
    whole = raw.parse()
    choice = whole.choices[0]
    assert choice.finish_reason == "stop" and choice.message.role == "assistant"
    assert "The mill in Łódź stopped at noon" in choice.message.content, choice.message.content
    cited(choice.message.content, [annotation.model_dump() for annotation in choice.message.annotations])
    assert whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens > 10
    ours = whole.model_extra["ouzel"]
    quote = ours["citations"][0]["quote"]
    assert quote in MILL["text"] and ours["receipt"]["memory"]["seq"] > 0 and not ours["abstained"]
    parts = [{"type": "text", "text": ASK_MILL}]
    assert ask(model="ouzel", messages=[{"role": "user", "content": parts}]).choices[0].message.content
    own = ask(model="ouzel", messages=[{"role": "user", "content": "yeast molasses shortage"}], extra_body={"ouzel": {"k": 1}})
    urls = [a.url_citation.url for a in own.choices[0].message.annotations]
    assert all(url.endswith("/v1/documents/doors/yeast%20%232") for url in urls) and urls, urls
    with urllib.request.urlopen(urls[0], timeout=30) as document:
        assert json.load(document)["text"] == YEAST["text"]
    turns = [
        {"role": "user", "content": "What did Zanzibar Mills say of flour?"}, {"role": "assistant", "content": "Nothing."},
        {"role": "user", "content": "What did they say of yeast?"},
    ]
    again = ask(model="ouzel", messages=turns).model_extra["ouzel"]
    assert "zanzibar" in (again["receipt"]["rewritten"] or "").lower(), again["receipt"]


def streamed(client):
    stream = client.chat.completions.create(
        model="ouzel", messages=[{"role": "user", "content": ASK_MILL}], stream=True,
        stream_options={"include_usage": True},
    )
    content, annotations, usage, ends, roles = "", [], None, [], []
    for chunk in stream:
        assert chunk.object == "chat.completion.chunk"
        if not chunk.choices:
            usage = chunk.usage
            continue
        delta = chunk.choices[0].delta
        roles.append(delta.role)
        content += delta.content or ""
        annotations += (delta.model_extra or {}).get("annotations", [])
        ends.append(chunk.choices[0].finish_reason)
    assert roles[0] == "assistant" and ends[-1] == "stop" and not any(ends[:-1]), (roles, ends)
    cited(content, annotations)
    assert usage and usage.completion_tokens > 5, usage
    plain = client.chat.completions.create(model="ouzel", messages=[{"role": "user", "content": ASK_MILL}], stream=True)
    assert all(chunk.choices for chunk in plain), "usage was not asked for"
    with client.chat.completions.stream(model="ouzel", messages=[{"role": "user", "content": ASK_MILL}]) as helper:
        final = helper.get_final_completion()
    assert final.choices[0].message.content == content


def bad(client, url):
    ask = client.chat.completions.create
    question = [{"role": "user", "content": "why?"}]
    for stream in (False, True):
        refused(openai.BadRequestError, "holds no question", lambda: ask(
            model="ouzel", messages=[{"role": "user", "content": "  "}], stream=stream))
        refused(openai.BadRequestError, "more than 4096", lambda: ask(
            model="ouzel", messages=[{"role": "user", "content": "x" * 5_000}], stream=stream))
    refused(openai.NotFoundError, "gpt-4o", lambda: ask(model="gpt-4o", messages=question))
    refused(openai.BadRequestError, "'n'", lambda: ask(model="ouzel", messages=question, n=3))
    tool = {"type": "function", "function": {"name": "f", "parameters": {}}}
    error = refused(openai.BadRequestError, "'tools'", lambda: ask(model="ouzel", messages=question, tools=[tool]))
    assert error.code == "unsupported_parameter" and error.type == "invalid_request_error", error.body
    wanted = {"type": "json_object"}
    refused(openai.BadRequestError, "'response_format'", lambda: ask(model="ouzel", messages=question, response_format=wanted))
    picture = [{"type": "image_url", "image_url": {"url": "data:,"}}]
    refused(openai.BadRequestError, "no text", lambda: ask(model="ouzel", messages=[{"role": "user", "content": picture}]))
    refused(openai.BadRequestError, "'ouzel'", lambda: ask(model="ouzel", messages=question, extra_body={"ouzel": {"as_of": "x"}}))
    long = "x" * (3 << 20)
    too_large = refused(openai.APIStatusError, "larger", lambda: ask(model="ouzel", messages=[{"role": "user", "content": long}]))
    assert too_large.status_code == 413
    page = OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, default_headers={"Origin": "http://evil.example"})
    try:
        page.embeddings.create(model="ouzel", input="x")
        raise AssertionError("a page of others was let in")
    except openai.PermissionDeniedError:
        pass


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    url = parser.parse_args().url
    report = post(f"{url}/v1/documents", [MILL, YEAST])
    assert report["stored"] == 2, report
    client = OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=60)
    embeddings(client, models(client))
    print("models and embeddings: as the client expects")
    chat(client)
    streamed(client)
    print("chat completions, whole and in pieces: cited and counted")
    bad(client, url)
    print("what is refused: by name, as the client's own errors")


if __name__ == "__main__":
    main()
