//! Who may use the doors from a browser. Any web page can make a browser call a server on its
//! machine; what tells such calls apart is the `Origin` of the page, and, where the page's name was
//! made to point here (DNS rebinding), a `Host` that is not ours.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{Request, State};
use axum::http::header::{HOST, ORIGIN, UPGRADE};
use axum::http::{HeaderMap, HeaderName, Method, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::error::Refusal;

/// What the guard knows of the door.
#[derive(Clone, Copy, Debug)]
pub struct Door {
    is_loopback: bool,
}

impl Door {
    /// A door at `address`.
    pub fn new(address: SocketAddr) -> Self {
        Self {
            is_loopback: address.ip().is_loopback(),
        }
    }

    fn check(self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
        let host = uri
            .authority()
            .map(|authority| authority.as_str())
            .or_else(|| text(headers, &HOST));
        if self.is_loopback
            && let Some(host) = host
            && !names_loopback(host)
        {
            let what = format!("this server listens on loopback only, and {host:?} is not that");
            let hint = "call it as 127.0.0.1 or localhost; a proxy in front must set Host so";
            return Err(Refusal::forbidden(what, hint));
        }
        let is_read = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
        // Agents' sessions are read from as well as written to: theirs are checked like a write.
        if is_read && !headers.contains_key(UPGRADE) && uri.path() != "/mcp" {
            return Ok(());
        }
        match headers.get(ORIGIN) {
            None => Ok(()),
            Some(origin) => {
                let page = origin.to_str().unwrap_or_default();
                let of = page.split_once("://").map(|(_, host)| host);
                match (of, host) {
                    (Some(of), Some(host)) if of.eq_ignore_ascii_case(host) => Ok(()),
                    _ => {
                        let what = format!("a page of {page:?} may not do this");
                        let hint = "use the console that this server serves, or a program";
                        Err(Refusal::forbidden(what, hint))
                    }
                }
            }
        }
    }
}

/// Refuses pages of others.
pub async fn guard(State(door): State<Door>, request: Request, next: Next) -> Response {
    match door.check(request.method(), request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).map(|v| v.to_str().unwrap_or_default())
}

/// Whether `host`, with or without a port, is this machine.
fn names_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let name = name.trim_end_matches('.');
    let is_local =
        name.eq_ignore_ascii_case("localhost") || name.to_ascii_lowercase().ends_with(".localhost");
    is_local || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(listen: &str, method: Method, headers: &[(HeaderName, &str)]) -> bool {
        let door = Door::new(listen.parse().expect("an address"));
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (name.clone(), value.parse().expect("a value")))
            .collect();
        let uri = Uri::from_static("/v1/stream");
        door.check(&method, &uri, &headers).is_ok()
    }

    #[test]
    fn pages_of_others_are_kept_out() {
        let local = "127.0.0.1:7878";
        let ours = (HOST, "localhost:7878");
        let post = |more: &[(HeaderName, &str)]| {
            check(
                local,
                Method::POST,
                &[std::slice::from_ref(&ours), more].concat(),
            )
        };
        assert!(post(&[]));
        assert!(post(&[(ORIGIN, "http://localhost:7878")]));
        for page in ["http://evil.example", "null", "http://localhost:9999"] {
            assert!(!post(&[(ORIGIN, page)]), "{page}");
        }
        let evil = (ORIGIN, "http://evil.example");
        assert!(check(local, Method::GET, &[ours.clone(), evil.clone()]));
        let upgrade = (UPGRADE, "websocket");
        assert!(!check(
            local,
            Method::GET,
            &[ours.clone(), evil.clone(), upgrade]
        ));
        let door = Door::new(local.parse().expect("an address"));
        let headers: HeaderMap = [ours, evil]
            .into_iter()
            .map(|(name, value)| (name, value.parse().expect("a value")))
            .collect();
        let agents = Uri::from_static("/mcp");
        assert!(door.check(&Method::GET, &agents, &headers).is_err());
    }

    #[test]
    fn a_name_made_to_point_here_is_refused_on_loopback() {
        let get = |listen: &str, host: &str| check(listen, Method::GET, &[(HOST, host)]);
        for host in [
            "127.0.0.1:7878",
            "localhost",
            "[::1]:80",
            "a.localhost:1",
            "127.8.8.8",
        ] {
            assert!(get("127.0.0.1:7878", host), "{host}");
        }
        for host in [
            "evil.example:7878",
            "10.0.0.1",
            "localhost.evil.example",
            "",
        ] {
            assert!(!get("127.0.0.1:7878", host), "{host}");
            assert!(get("0.0.0.0:7878", host), "{host}");
        }
    }
}
