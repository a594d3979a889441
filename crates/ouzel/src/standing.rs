//! `ouzel standing`: questions that wait for their answers, at a running server.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};
use server::client::{Client, ClientError};
use server::http::path_segment;

use crate::args::{AddArgs, MatchArg, StandingArgs, StandingCommand};
use crate::print;

/// Questions of a page of the list.
const PAGE: usize = 500;
/// How long a look for alerts waits for the first.
const WAIT_MS: u64 = 10_000;
/// Between two looks at a server that is away.
const AWAY: Duration = Duration::from_secs(1);

/// Does what was asked.
pub fn run(args: &StandingArgs) -> Result<ExitCode> {
    let client = Client::new(&args.url);
    match &args.command {
        StandingCommand::Add(add) => self::add(&client, add, args.json)?,
        StandingCommand::List => list(&client, args.json)?,
        StandingCommand::Remove { ids } => remove(&client, ids, args.json)?,
        StandingCommand::Watch { id, for_s } => {
            watch(
                &client,
                id.as_deref(),
                for_s.map(Duration::from_secs),
                args.json,
            )?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn add(client: &Client, args: &AddArgs, is_json: bool) -> Result<()> {
    let answer = client.post("/v1/standing", &definition(args)?.to_string())?;
    let kept = &answer["questions"][0];
    if is_json {
        print::json(kept);
        return Ok(());
    }
    let id = kept["id"].as_str().unwrap_or_default();
    print::line(format!(
        "{id} waits for what comes after entry {}",
        kept["after_seq"]
    ));
    if let Some(secret) = kept["webhook"]["secret"].as_str() {
        print::line(format!(
            "its webhooks are signed with {secret}, which is not shown again"
        ));
    }
    Ok(())
}

fn definition(args: &AddArgs) -> Result<Value> {
    let mut asked = Map::new();
    let mut put = |key: &str, value: Option<Value>| {
        asked.extend(value.map(|value| (key.to_owned(), value)));
    };
    let how = match args.how {
        MatchArg::All => "all",
        MatchArg::Any => "any",
        MatchArg::Phrase => "phrase",
    };
    let filter = args.filter.as_deref().map(serde_json::from_str);
    put("id", args.id.as_ref().map(|id| json!(id)));
    put("name", args.name.as_ref().map(|name| json!(name)));
    put(
        "text",
        args.text.as_ref().map(|q| json!({"q": q, "match": how})),
    );
    let meaning = args.meaning.as_ref();
    put(
        "meaning",
        meaning.map(|text| json!({"text": text, "min_cosine": args.min_cosine})),
    );
    put(
        "filter",
        filter.transpose().context("--filter is not JSON")?,
    );
    put("symbols", Some(json!(args.symbol)));
    put("sources", Some(json!(args.source)));
    let state = args.state_of.as_ref();
    put(
        "state",
        state.map(
            |symbol| json!({"symbol": symbol, "at": args.at, "max_distance": args.max_distance}),
        ),
    );
    let webhook = args.webhook.as_ref();
    put(
        "webhook",
        webhook.map(|url| json!({"url": url, "secret": args.secret})),
    );
    Ok(Value::Object(asked))
}

fn list(client: &Client, is_json: bool) -> Result<()> {
    let mut after = String::new();
    loop {
        let path = format!("/v1/standing?limit={PAGE}&after={}", path_segment(&after));
        let page = client.get(&path)?;
        for question in page["questions"].as_array().into_iter().flatten() {
            match is_json {
                true => print::json(question),
                false => print::line(shown(question)),
            }
        }
        match page["next"].as_str() {
            Some(next) => next.clone_into(&mut after),
            None => {
                if !is_json {
                    print::line(summary(&page));
                }
                return Ok(());
            }
        }
    }
}

/// One question on a line.
fn shown(question: &Value) -> String {
    let id = question["id"].as_str().unwrap_or_default();
    let asks = ["text", "meaning", "filter", "symbols", "sources", "state"];
    let asks = asks.iter().filter_map(|key| {
        let value = question.get(*key)?;
        Some(format!("{key} {value}"))
    });
    let to = question["webhook"]["url"].as_str();
    let to = to.map_or_else(String::new, |url| format!(" -> {url}"));
    format!("{id:<24} {}{to}", asks.collect::<Vec<_>>().join(", "))
}

fn summary(page: &Value) -> String {
    let webhooks = &page["webhooks"];
    format!(
        "{} questions, matched up to entry {}; webhooks: {} delivered, {} waiting, {} given up",
        page["count"],
        page["matched_seq"],
        webhooks["delivered"],
        webhooks["waiting"],
        webhooks["dead"]
    )
}

fn remove(client: &Client, ids: &[String], is_json: bool) -> Result<()> {
    for id in ids {
        let done = client.delete(&format!("/v1/standing/{}", path_segment(id)))?;
        match is_json {
            true => print::json(&done),
            false => print::line(format!("{id} is forgotten")),
        }
    }
    Ok(())
}

/// Prints what comes from now on. A server that goes away is looked for again; started again, it numbers from 1.
fn watch(client: &Client, id: Option<&str>, limit: Option<Duration>, is_json: bool) -> Result<()> {
    let begun = Instant::now();
    let of = id.map_or_else(String::new, |id| format!("&question={}", path_segment(id)));
    let look = |after: u64, wait_ms: u64| -> Result<Value, ClientError> {
        client.get(&format!("/v1/alerts?after={after}&wait_ms={wait_ms}{of}"))
    };
    // Behind every alert there is: the answer says which is the last.
    let first = look(u64::MAX, 0)?;
    let (mut after, mut session) = (
        first["last"].as_u64().unwrap_or(0),
        first["session"].clone(),
    );
    let mut is_away = false;
    loop {
        let left = limit.map(|limit| limit.saturating_sub(begun.elapsed()));
        if left.is_some_and(|left| left.is_zero()) {
            return Ok(());
        }
        let wait = left.map_or(WAIT_MS, |left| WAIT_MS.min(left.as_millis() as u64));
        let found = match look(after, wait) {
            Ok(found) => found,
            Err(error) if is_for_good(&error) => return Err(error.into()),
            Err(error) => {
                if !is_away {
                    print::warning(&format!("{error}; looking again each second"));
                }
                is_away = true;
                std::thread::sleep(left.map_or(AWAY, |left| left.min(AWAY)));
                continue;
            }
        };
        is_away = false;
        if found["session"] != session {
            (session, after) = (found["session"].clone(), 0);
            continue;
        }
        after = found["last"].as_u64().unwrap_or(after);
        if found["missed"].as_u64().unwrap_or(0) > 0 {
            print::warning(&format!(
                "{} alerts came and went before they were read",
                found["missed"]
            ));
        }
        for alert in found["alerts"].as_array().into_iter().flatten() {
            match is_json {
                true => print::json(alert),
                false => print::line(told(alert)),
            }
        }
    }
}

/// Whether asking the same again is of no use. A server that is being started again cuts calls, or refuses them by 503.
const fn is_for_good(error: &ClientError) -> bool {
    matches!(error, ClientError::Refused { status, .. } if *status < 500)
}

fn told(alert: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (at, id) = (text(&alert["at"]), text(&alert["question_id"]));
    let (document, state) = (&alert["document"], &alert["state"]);
    if state.is_object() {
        let (symbol, distance) = (text(&state["symbol"]), state["distance"].as_f64());
        let distance = distance.unwrap_or_default();
        return format!("{at} {id}: the state of {symbol} is {distance:.4} away");
    }
    let title = match document["title"].as_str() {
        Some(title) => title.to_owned(),
        None => text(&document["text"]).chars().take(100).collect(),
    };
    let (score, document) = (document["score"].as_f64(), text(&document["document_id"]));
    format!(
        "{at} {id} {:.3} {document}: {title}",
        score.unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    /// A server of one answer, which then cuts the next call and has another run answer the one behind it.
    #[test]
    fn a_watch_outlives_the_server_that_it_watches() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
        let client = Client::new(&listener.local_addr().expect("an address").to_string());
        let refusal = r#"{"error": {"message": "enough", "hint": "end"}}"#;
        let answers = [
            ("200 OK", r#"{"last": 0, "session": "a", "alerts": []}"#),
            ("", ""),
            ("404 Not Found", refusal),
        ];
        let why = std::thread::scope(|scope| {
            scope.spawn(|| {
                for (status, body) in answers {
                    let (mut stream, _) = listener.accept().expect("a call");
                    let mut head = [0; 4_096];
                    let _size = stream.read(&mut head).expect("reads");
                    if !status.is_empty() {
                        let size = body.len();
                        let head = format!(
                            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {size}\r\nconnection: close\r\n\r\n"
                        );
                        stream.write_all((head + body).as_bytes()).expect("answers");
                    }
                }
            });
            watch(&client, None, None, false).expect_err("refused in the end")
        });
        assert!(why.to_string().contains("enough"), "{why}");
    }

    #[test]
    fn alerts_and_questions_are_shown_on_a_line() {
        let alert = json!({"at": "T", "question_id": "q", "document": {
            "document_id": "d", "title": "Mill stops", "score": 0.75}});
        assert_eq!(told(&alert), "T q 0.750 d: Mill stops");
        let state =
            json!({"at": "T", "question_id": "q", "state": {"symbol": "A", "distance": 0.012345}});
        assert!(told(&state).ends_with("the state of A is 0.0123 away"));
        let question = json!({"id": "q", "text": {"q": "mill"}, "webhook": {"url": "http://a"}});
        let line = shown(&question);
        assert!(line.starts_with("q ") && line.contains("mill") && line.ends_with("-> http://a"));
    }
}
