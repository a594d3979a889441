//! Calls of webhooks: one POST, signed, no redirect followed, an answer of 2xx or another attempt.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ureq::unversioned::transport::DefaultConnector;

use super::Settings;
use super::address::PublicResolver;
use super::outbox::{Job, Outbox, Outcome};
use crate::out::Thread;

/// Webhooks sent at once.
const WORKERS: usize = 4;
/// From the name of the endpoint to the head of its answer.
const CALL_LIMIT: Duration = Duration::from_secs(10);
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
const URL_BYTES_LIMIT: usize = 2_048;

/// The threads that send. Dropping it ends them after the calls in flight.
pub struct Deliverers {
    outbox: Arc<Outbox>,
    _threads: Vec<Thread>,
}

impl Deliverers {
    /// Begins to send what comes into the outbox.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(outbox: &Arc<Outbox>, settings: Settings) -> io::Result<Self> {
        let threads = (0..WORKERS).map(|_| {
            let (outbox, agent) = (Arc::clone(outbox), agent(settings));
            let stop = Arc::new(AtomicBool::new(false));
            Thread::spawn("webhooks", stop, move || {
                while let Some(job) = outbox.next() {
                    let outcome = call(&agent, &job);
                    outbox.done(job, outcome);
                }
            })
        });
        Ok(Self {
            _threads: threads.collect::<io::Result<_>>()?,
            outbox: Arc::clone(outbox),
        })
    }
}

impl Drop for Deliverers {
    fn drop(&mut self) {
        self.outbox.close();
    }
}

/// A client that goes where the URL says and nowhere else: no proxy of the environment, no redirect.
fn agent(settings: Settings) -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(CALL_LIMIT))
        .timeout_connect(Some(CONNECT_LIMIT))
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .proxy(None)
        .user_agent(concat!("ouzel/", env!("CARGO_PKG_VERSION")))
        .build();
    if settings.private_webhooks {
        return ureq::Agent::new_with_config(config);
    }
    ureq::Agent::with_parts(
        config,
        DefaultConnector::default(),
        PublicResolver::default(),
    )
}

fn call(agent: &ureq::Agent, job: &Job) -> Outcome {
    // The clock of this machine is what receivers compare with theirs.
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    // A clock before 1970 signs as 1970, and receivers refuse it by its time.
    let timestamp = now.unwrap_or_default().as_secs();
    let sent = agent
        .post(&job.url)
        .header("content-type", "application/json")
        .header("webhook-id", &job.id)
        .header("webhook-timestamp", timestamp.to_string())
        .header(
            "webhook-signature",
            job.secret.sign(&job.id, timestamp, &job.body),
        )
        .send(&job.body);
    let response = match sent {
        Ok(response) => response,
        Err(error) => return Outcome::Failed(error.to_string(), None),
    };
    let status = response.status();
    let asked = response.headers().get("retry-after");
    let asked = asked.and_then(|value| value.to_str().ok()?.trim().parse().ok());
    match status.as_u16() {
        200..=299 => Outcome::Delivered,
        300..=399 => Outcome::Failed(format!("{status}: redirects are not followed"), None),
        // Standard Webhooks: the receiver wants no more of these.
        410 => Outcome::Gone(status.to_string()),
        _ => Outcome::Failed(status.to_string(), asked.map(Duration::from_secs)),
    }
}

/// Refuses what is no URL of a webhook.
///
/// # Errors
/// A sentence that says what is wrong with it.
pub fn check_url(url: &str) -> Result<(), String> {
    if url.len() > URL_BYTES_LIMIT {
        return Err(format!(
            "has {} bytes, more than {URL_BYTES_LIMIT}",
            url.len()
        ));
    }
    let scheme = url
        .split_once("://")
        .map(|(scheme, _)| scheme.to_ascii_lowercase());
    if !matches!(scheme.as_deref(), Some("http" | "https")) {
        return Err("is neither http:// nor https://".to_owned());
    }
    let parsed: ureq::http::Uri = url.parse().map_err(|e| format!("is no URL: {e}"))?;
    let authority = parsed
        .authority()
        .filter(|authority| !authority.host().is_empty());
    match authority {
        None => Err("names no host".to_owned()),
        Some(authority) if authority.as_str().contains('@') => {
            Err("has a user's name in it; the signature is what tells who calls".to_owned())
        }
        Some(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::super::Secret;
    use super::*;

    #[test]
    fn only_http_urls_of_a_host_are_taken() {
        for good in [
            "http://a",
            "https://a.b:8443/c?d=e",
            "http://[::1]:9/x",
            "HTTP://a/",
        ] {
            assert_eq!(check_url(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "a",
            "/x",
            "ftp://a",
            "file:///etc/passwd",
            "http://",
            "http://u:p@a/",
            "http://a b",
        ] {
            assert!(check_url(bad).is_err(), "{bad}");
        }
        assert!(check_url(&format!("http://a/{}", "x".repeat(URL_BYTES_LIMIT))).is_err());
    }

    /// Answers one call in these words; the request's text.
    fn answer(listener: &TcpListener, words: &str) -> String {
        let (mut stream, _) = listener.accept().expect("a call");
        let mut request = Vec::new();
        let mut piece = [0; 4_096];
        while !request.ends_with(b"{\"a\":1}") {
            let count = stream.read(&mut piece).expect("reads");
            request.extend(&piece[..count]);
        }
        let answer = format!("HTTP/1.1 {words}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        stream.write_all(answer.as_bytes()).expect("answers");
        String::from_utf8(request).expect("text")
    }

    #[test]
    fn a_call_is_signed_and_its_answer_decides() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
        let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
        let secret = Secret::new().expect("a secret");
        let job = Job::new("alert_1", &url, secret.clone(), "{\"a\":1}");
        let own = Settings {
            private_webhooks: true,
        };
        let cases = [
            ("204 No Content", Outcome::Delivered),
            ("410 Gone", Outcome::Gone("410 Gone".to_owned())),
            (
                "503 Service Unavailable\r\nretry-after: 7",
                Outcome::Failed(
                    "503 Service Unavailable".to_owned(),
                    Some(Duration::from_secs(7)),
                ),
            ),
            (
                "302 Found\r\nlocation: /elsewhere",
                Outcome::Failed("302 Found: redirects are not followed".to_owned(), None),
            ),
        ];
        for (words, want) in cases {
            let request = std::thread::scope(|scope| {
                let answered = scope.spawn(|| answer(&listener, words));
                assert_eq!(call(&agent(own), &job), want);
                answered.join().expect("answered")
            });
            let header = |name: &str| {
                let line = request.lines().find_map(|line| {
                    let (key, value) = line.split_once(": ")?;
                    key.eq_ignore_ascii_case(name).then_some(value)
                });
                line.expect(name).to_owned()
            };
            assert_eq!(header("webhook-id"), "alert_1");
            let at = header("webhook-timestamp").parse().expect("seconds");
            assert_eq!(
                header("webhook-signature"),
                secret.sign("alert_1", at, "{\"a\":1}")
            );
        }
        let refused = call(&agent(Settings::default()), &job);
        let Outcome::Failed(why, None) = refused else {
            panic!("{refused:?}");
        };
        assert!(why.contains("--webhook-private"), "{why}");
    }
}
