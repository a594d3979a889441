//! Words that must not stand in some crates: the absences of docs/ARCHITECTURE.md, as source text.

use crate::tidy::{CrateFile, Finding};

/// The crates whose state is a function of their arguments.
const PURE: &[&str] = &[
    "stdx",
    "wire",
    "vector",
    "embed",
    "market",
    "collection",
    "fix",
    "rag",
    "venue",
];
/// The crates that touch no file, socket or thread at all.
const NO_IO: &[&str] = &["wire", "vector", "market", "rag", "venue"];
/// The crates that leave it to the program around them to speak.
const SILENT: &[&str] = &[
    "stdx",
    "wire",
    "vector",
    "embed",
    "market",
    "collection",
    "fix",
    "rag",
    "venue",
    "engine",
    "node",
];

/// A group of words, where they are banned and what to use instead.
struct Ban {
    words: &'static [&'static str],
    crates: &'static [&'static str],
    /// Files, as `crate/path`, that may all the same; a trailing `/` means a folder.
    except: &'static [&'static str],
    advice: &'static str,
}

const BANS: &[Ban] = &[
    Ban {
        words: &["SystemTime::now", "Instant::now"],
        crates: PURE,
        except: &["stdx/src/clock.rs"],
        advice: "time is an argument: take `now_ns: u64` or a `stdx` clock from the caller",
    },
    Ban {
        words: &["thread::sleep"],
        crates: PURE,
        except: &[],
        advice: "do not wait for time to pass: return what to do next and let the caller schedule it",
    },
    Ban {
        words: &["rand::", "RandomState::new", "thread_rng"],
        crates: PURE,
        except: &[],
        advice: "randomness is an argument: take a seeded `stdx` generator",
    },
    Ban {
        words: &["println!", "eprintln!", "print!", "eprint!", "dbg!"],
        crates: SILENT,
        except: &[],
        advice: "return a value or count it; the server logs and the binary prints",
    },
    Ban {
        words: &[
            "std::fs",
            "std::net",
            "std::thread",
            "File::open",
            "UdpSocket",
            "TcpStream",
        ],
        crates: NO_IO,
        except: &[],
        advice: "this crate does no I/O: take bytes, return bytes or actions; `engine`, `collection` and the outer \
                 layers do the reading and writing",
    },
    Ban {
        words: &["wire::"],
        crates: &["market"],
        // The pipeline hands the feed's `Request` values out and names the protocol's types in its signatures.
        except: &[
            "market/src/feed/",
            "market/src/feed.rs",
            "market/src/pipeline/",
            "market/src/pipeline.rs",
        ],
        advice: "only `market::feed` (and the pipeline that joins the steps) knows a protocol: translate there into \
                 `event` types",
    },
];

/// Checks the code (not tests, comments or strings) of every file.
pub fn check(files: &[CrateFile]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| !file.is_test) {
        let place = format!("{}/{}", file.package, file.inside);
        for ban in BANS.iter().filter(|ban| ban.applies(&file.package, &place)) {
            for word in ban.words {
                for line in file.source.lines_with(word) {
                    let what = format!("`{word}` in `{}`", file.package);
                    findings.push(Finding::new(&file.path, line, what, ban.advice));
                }
            }
        }
    }
    findings
}

impl Ban {
    fn applies(&self, package: &str, place: &str) -> bool {
        let excepted = self
            .except
            .iter()
            .any(|except| place == *except || (except.ends_with('/') && place.starts_with(except)));
        self.crates.contains(&package) && !excepted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::fixtures::file;

    fn found(package: &str, inside: &str, text: &str) -> Vec<String> {
        check(&[file(package, inside, text)])
            .into_iter()
            .map(|finding| finding.what)
            .collect()
    }

    #[test]
    fn the_clock_is_banned_below_engine_but_in_stdx_clock() {
        let text = "fn f() { let t = std::time::Instant::now(); }";
        assert_eq!(
            found("market", "src/book.rs", text),
            ["`Instant::now` in `market`"]
        );
        assert!(found("stdx", "src/clock.rs", text).is_empty());
        assert!(found("engine", "src/lane.rs", text).is_empty());
        assert!(found("market", "tests/book.rs", text).is_empty());
    }

    #[test]
    fn words_in_comments_strings_and_tests_are_not_code() {
        let text = "// println!\nfn f() { g(\"println!\"); }\n#[cfg(test)]\nmod tests { fn t() { println!(); } }";
        assert!(found("wire", "src/lib.rs", text).is_empty());
    }

    #[test]
    fn only_the_feed_and_the_pipeline_see_the_wire() {
        let text = "use wire::itch50;";
        assert!(found("market", "src/feed/itch.rs", text).is_empty());
        assert!(found("market", "src/pipeline.rs", text).is_empty());
        assert_eq!(
            found("market", "src/book/levels.rs", text),
            ["`wire::` in `market`"]
        );
    }

    #[test]
    fn pure_crates_open_no_file() {
        assert_eq!(
            found("rag", "src/ingest.rs", "use std::fs;"),
            ["`std::fs` in `rag`"]
        );
        assert!(found("collection", "src/log.rs", "use std::fs;").is_empty());
    }
}
