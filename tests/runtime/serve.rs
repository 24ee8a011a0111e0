//! The server of translations: requests at once give what `translate` gives, wrong ones are told why, a signal ends it in order.

use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use mmc_plan::Precision;
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use serde_json::{Value, json};

use super::workplace::{Workplace, train};

/// A started server.
pub(crate) struct Server {
    child: Child,
    /// Kept open, as a launcher would.
    _stdout: BufReader<ChildStdout>,
    stderr: ChildStderr,
    address: String,
}

/// A trained run: its plan and folder.
fn trained(place: &Workplace) -> (PathBuf, PathBuf) {
    let mut sample = place.sample(&[&[0, 1, 2, 3]], Precision::Fp32, "run");
    // One direction stays without modules.
    sample.pairs.retain(|pair| pair[1] != "cs");
    sample.corpora.truncate(0);
    let full = place.sample(&[&[0, 1, 2, 3]], Precision::Fp32, "run");
    for (pair, corpus) in full.pairs.iter().zip(&full.corpora) {
        if sample.pairs.contains(pair) {
            sample.corpora.push(corpus.clone());
        }
    }
    let plan = place.write_plan("plan.yaml", &sample);
    train(&plan, 1, &[]);
    (plan, place.path("run"))
}

fn worker(command: &str, plan: &Path, run: &Path, more: &[&str]) -> Command {
    let mut started = Command::new(env!("CARGO_BIN_EXE_mmc-worker"));
    started.args([command, "--threads", "1", "--plan"]).arg(plan);
    started.arg("--checkpoint").arg(run).args(more);
    started
}

pub(crate) fn start(plan: &Path, run: &Path, more: &[&str]) -> Server {
    let mut command = worker("serve", plan, run, &[&["--port", "0"], more].concat());
    // Else each thread may reserve address space of its own, which a test of too little memory would not know of.
    command.env("MALLOC_ARENA_MAX", "1");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let stderr = child.stderr.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("listening at http://").expect("an address").to_owned();
    Server { child, _stdout: stdout, stderr, address }
}

impl Server {
    /// Status and body of a request that is sent as it is.
    fn raw(&self, request: &str) -> (u16, Value) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        read(&answer)
    }

    pub(crate) fn ask(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let length = body.len();
        self.raw(&format!(
            "{method} {path} HTTP/1.1\r\nHost: here\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        ))
    }

    /// Sends a request to translate whose body has so many bytes, of which `part` comes first.
    fn begin(&self, length: usize, part: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "POST /translate HTTP/1.1\r\nHost: here\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{part}").unwrap();
        stream
    }

    pub(crate) fn translate(&self, body: &Value) -> (u16, Value) {
        self.ask("POST", "/translate", &body.to_string())
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap()
    }

    fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    pub(crate) fn end(&mut self, signal: Signal) -> i32 {
        self.signal(signal);
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code().expect("it ended by itself");
            }
            assert!(began.elapsed() < Duration::from_secs(20), "it does not end");
            sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Status and body of an answer.
fn read(answer: &str) -> (u16, Value) {
    let (head, body) = answer.split_once("\r\n\r\n").expect(answer);
    assert!(head.contains("application/json"), "{head}");
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let mut text = String::new();
    let mut left = body;
    // Long bodies come in pieces, each behind its length.
    while let Some((length, rest)) =
        left.split_once("\r\n").filter(|_| head.contains("Transfer-Encoding: chunked"))
    {
        let (piece, rest) = rest.split_at(usize::from_str_radix(length, 16).expect(length));
        text.push_str(piece);
        left = rest.strip_prefix("\r\n").unwrap_or(rest);
    }
    (status, serde_json::from_str(&(text + left)).expect(body))
}

/// What `translate` writes for lines.
pub(crate) fn translated(plan: &Path, run: &Path, lines: &[String], more: &[&str]) -> Vec<String> {
    let mut command = worker("translate", plan, run, more);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all((lines.join("\n") + "\n").as_bytes()).unwrap();
    let end = child.wait_with_output().unwrap();
    assert!(end.status.success());
    String::from_utf8(end.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// Some lines of a client's own.
fn lines(client: usize, language: &str) -> Vec<String> {
    let word = |at: usize| format!("{language}{}", (client * 7 + at * 3) % 40);
    (0..5).map(|line| (0..=line).map(word).collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn requests_at_once_are_answered_as_translate_would() {
    let place = Workplace::new();
    let (plan, run) = trained(&place);
    let mut server = start(&plan, &run, &[]);
    let (status, health) = server.ask("GET", "/health", "");
    assert_eq!((status, &health["status"]), (200, &json!("ok")));
    assert_eq!(health["languages"], json!(["cs", "de", "en"]));
    let clients: Vec<_> = (0..12)
        .map(|client: usize| {
            let (from, to) = [("cs", "de"), ("cs", "en"), ("de", "en")][client % 3];
            (client, from, to, [1, 4][client / 6])
        })
        .collect();
    std::thread::scope(|scope| {
        for (client, from, to, beam) in clients {
            let (server, plan, run) = (&server, &plan, &run);
            scope.spawn(move || {
                let texts = lines(client, from);
                let asked = json!({ "from": from, "to": to, "texts": texts, "beam": beam });
                let (status, answer) = server.translate(&asked);
                assert_eq!(status, 200, "{answer}");
                let beam = format!("--beam={beam}");
                let more = ["--source", from, "--target", to, "--scores", &beam];
                let expected = translated(plan, run, &texts, &more);
                let found = answer["translations"].as_array().expect("a list");
                assert_eq!(found.len(), expected.len());
                for (found, expected) in found.iter().zip(&expected) {
                    let (score, text) = expected.split_once('\t').unwrap();
                    assert_eq!(found["text"], *text);
                    let score: f64 = score.parse().unwrap();
                    assert!((found["score"].as_f64().unwrap() - score).abs() < 1e-3, "{found}");
                }
            });
        }
    });
    let one = json!({ "from": "cs", "to": "de", "text": "cs1 cs2", "nbest": 2 });
    let (status, answer) = server.translate(&one);
    assert_eq!(status, 200);
    assert_eq!(answer["translations"][0]["others"].as_array().expect("the second").len(), 1);
    assert_eq!(server.end(Signal::TERM), 0);
}

#[test]
fn wrong_requests_are_told_why() {
    let place = Workplace::new();
    let (plan, run) = trained(&place);
    let limits = ["--max-texts", "3", "--max-pieces", "9", "--max-bytes", "400"];
    let mut server = start(&plan, &run, &limits);
    let long = format!("cs1{}", " cs2".repeat(20));
    let cases: [(u16, &str, Value); 7] = [
        (404, "unknown_language", json!({ "from": "cs", "to": "xx", "text": "cs1" })),
        (404, "no_modules", json!({ "from": "de", "to": "cs", "text": "de1" })),
        (400, "bad_request", json!({ "from": "cs", "to": "de", "text": "cs1", "beem": 4 })),
        (400, "bad_request", json!({ "from": "cs", "to": "de" })),
        (413, "too_many_texts", json!({ "from": "cs", "to": "de", "texts": ["", "", "", ""] })),
        (413, "too_long", json!({ "from": "cs", "to": "de", "text": long })),
        (413, "too_large", json!({ "from": "cs", "to": "de", "text": "x".repeat(400) })),
    ];
    for (status, code, body) in cases {
        let (found, answer) = server.translate(&body);
        assert_eq!((found, &answer["error"]["code"]), (status, &json!(code)), "{answer}");
        assert!(answer["error"]["message"].as_str().is_some_and(|text| text.len() > 10));
    }
    let (status, answer) = server.ask("POST", "/translate", "{\"from\": ");
    assert_eq!((status, &answer["error"]["code"]), (400, &json!("malformed")));
    let (status, _) = server.ask("GET", "/translate", "");
    assert_eq!(status, 405);
    let (status, answer) = server.ask("GET", "/", "");
    assert_eq!((status, &answer["error"]["code"]), (404, &json!("unknown_path")));
    // In pieces, without a length that could be looked at first.
    let chunk = format!("190\r\n{}\r\n", "x".repeat(400));
    let (status, answer) = server.raw(&format!(
        "POST /translate HTTP/1.1\r\nHost: here\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}{chunk}0\r\n\r\n"
    ));
    assert_eq!((status, &answer["error"]["code"]), (413, &json!("too_large")));
    // Who asks before sending is told at once.
    let (status, answer) = server.raw("POST /translate HTTP/1.1\r\nHost: here\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 401\r\n\r\n");
    assert_eq!((status, &answer["error"]["code"]), (413, &json!("too_large")));
    // It still translates after all that.
    let (status, _) = server.translate(&json!({ "from": "cs", "to": "de", "text": "cs1" }));
    assert_eq!(status, 200);
    assert_eq!(server.end(Signal::INT), 0);
}

/// Requests for one translation of a word.
fn short() -> Value {
    json!({ "from": "cs", "to": "de", "text": "cs1" })
}

/// Waits until something holds.
fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(20), "{what}");
        sleep(Duration::from_millis(10));
    }
}

/// A request that is worked on holds the only place, whether or not its client still waits.
#[test]
fn a_full_queue_is_told() {
    let place = Workplace::new();
    let (plan, run) = trained(&place);
    let mut server = start(&plan, &run, &["--queue", "1"]);
    let texts: Vec<String> = (0..250).map(|at| format!("cs{} ", at % 40).repeat(100)).collect();
    let long = json!({ "from": "cs", "to": "de", "texts": texts, "beam": 16, "max_ratio": 0, "max_length": 100 });
    let long = long.to_string();
    let waiting = |server: &Server| server.ask("GET", "/health", "").1["waiting"].clone();
    let client = server.begin(long.len(), &long);
    wait_until("the request is taken", || waiting(&server) == json!(1));
    drop(client);
    let (status, answer) = server.translate(&short());
    assert_eq!((status, &answer["error"]["code"]), (503, &json!("busy")));
    wait_until("the request is done", || waiting(&server) == json!(0));
    assert_eq!(server.translate(&short()).0, 200);
    assert_eq!(server.end(Signal::TERM), 0);
}

#[test]
fn what_has_begun_to_come_before_a_signal_is_answered() {
    let place = Workplace::new();
    let (plan, run) = trained(&place);
    let mut server = start(&plan, &run, &[]);
    // Longer than what is read of a request at once.
    let texts: Vec<String> = (0..200).map(|_| "cs1 cs2 cs3".to_owned()).collect();
    let body = json!({ "from": "cs", "to": "de", "texts": texts }).to_string();
    let (first, second) = body.split_at(body.len() / 2);
    let mut slow = server.begin(body.len(), first);
    // It was accepted before this one.
    assert_eq!(server.translate(&short()).0, 200);
    server.signal(Signal::TERM);
    sleep(Duration::from_millis(300));
    slow.write_all(second.as_bytes()).unwrap();
    let mut answer = String::new();
    slow.read_to_string(&mut answer).unwrap();
    let (status, answer) = read(&answer);
    assert_eq!((status, answer["translations"].as_array().map(Vec::len)), (200, Some(200)));
    wait_until("it ends", || server.child.try_wait().unwrap().is_some());
    assert_eq!(server.child.wait().unwrap().code(), Some(0));
}

/// Idle connections, heads and bodies of which half has come, and heads without end hold up nobody, and end.
#[test]
fn clients_are_not_waited_for_for_ever() {
    let place = Workplace::new();
    let (plan, run) = trained(&place);
    let mut server = start(&plan, &run, &["--queue", "1", "--read-timeout", "1"]);
    let open = |text: &str| {
        let mut stream = TcpStream::connect(&server.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.write_all(text.as_bytes()).unwrap();
        stream
    };
    let (mut idle, mut head) = (open(""), open("POST /translate HTTP/1.1\r\nHo"));
    let mut body = server.begin(99, "{");
    let mut kept = open("GET /health HTTP/1.1\r\nHost: here\r\n\r\n");
    assert_eq!(server.translate(&short()).0, 200);
    let rest = |stream: &mut TcpStream| {
        let mut bytes = Vec::new();
        // It may end with bytes of ours unread, which is told as an error.
        if let Err(fault) = stream.read_to_end(&mut bytes) {
            assert_eq!(fault.kind(), ErrorKind::ConnectionReset, "the connection ends");
        }
        String::from_utf8(bytes).unwrap()
    };
    assert_eq!(rest(&mut idle), "");
    let answer = rest(&mut head);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
    let (status, answer) = read(&rest(&mut body));
    assert_eq!((status, &answer["error"]["code"]), (408, &json!("too_slow")));
    assert!(rest(&mut kept).starts_with("HTTP/1.1 200"));
    let mut endless = open(&format!("GET /health HTTP/1.1\r\nX: {}", "x".repeat(70_000)));
    assert!(rest(&mut endless).starts_with("HTTP/1.1 431"));
    assert_eq!(server.end(Signal::TERM), 0);
}

/// While no file is to be had the server waits, and hears again when connections end.
#[test]
fn a_server_without_files_to_open_does_not_go_deaf() {
    let place = Workplace::new();
    let (plan, run) = trained(&place);
    let mut server = start(&plan, &run, &["--read-timeout", "2"]);
    assert_eq!(server.translate(&short()).0, 200);
    let files = std::fs::read_dir(format!("/proc/{}/fd", server.child.id())).unwrap().count();
    let most = Some(files as u64 + 4);
    prlimit(Some(server.pid()), Resource::Nofile, Rlimit { current: most, maximum: most }).unwrap();
    let crowd: Vec<TcpStream> =
        (0..12).map(|_| TcpStream::connect(&server.address).unwrap()).collect();
    sleep(Duration::from_millis(500));
    assert_eq!(server.ask("GET", "/health", "").0, 200);
    drop(crowd);
    assert_eq!(server.translate(&short()).0, 200);
    assert_eq!(server.end(Signal::TERM), 0);
}

/// What is given of translations, scores of given ones, and pieces that alone may be used.
#[test]
fn what_is_given_is_gone_on_with_and_scored_as_translate_would() {
    let place = Workplace::new();
    let (plan, run) = trained(&place);
    let mut server = start(&plan, &run, &[]);
    let (texts, targets) = (lines(3, "cs"), lines(4, "de"));
    let rows: Vec<String> =
        texts.iter().zip(&targets).map(|(text, target)| format!("{text}\t{target}")).collect();
    let allowed = place.path("allowed");
    std::fs::write(&allowed, "de1 de2 de3\n").unwrap();
    let by_translate = |lines: &[String], more: &[&str]| {
        translated(&plan, &run, lines, &[&["--source", "cs", "--target", "de"], more].concat())
    };
    let ask = |more: Value| {
        let mut body = json!({ "from": "cs", "to": "de", "texts": texts });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        server.translate(&body)
    };
    let texts_of = |(status, answer): (u16, Value)| -> Vec<String> {
        assert_eq!(status, 200, "{answer}");
        let found = answer["translations"].as_array().expect("a list");
        found.iter().map(|found| found["text"].as_str().unwrap().to_owned()).collect()
    };
    let begun = texts_of(ask(json!({ "targets": targets })));
    assert_eq!(begun, by_translate(&rows, &["--given", "prefix"]));
    assert!(begun.iter().zip(&targets).all(|(text, target)| text.starts_with(target.as_str())));
    let only = texts_of(ask(json!({ "only": "de1 de2 de3" })));
    assert_eq!(only, by_translate(&texts, &["--only", allowed.to_str().unwrap()]));
    assert_ne!(only, texts_of(ask(json!({}))));
    let (status, answer) = ask(json!({ "targets": targets, "score": true, "length_penalty": 0.5 }));
    assert_eq!(status, 200, "{answer}");
    let expected = by_translate(&rows, &["--given", "translation", "--length-penalty", "0.5"]);
    let found = answer["scores"].as_array().expect("a list");
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(&expected) {
        let expected: f64 = expected.parse().unwrap();
        assert!((found.as_f64().unwrap() - expected).abs() < 1e-3, "{found} {expected}");
    }
    for (more, words) in [
        (json!({ "score": true }), "missing field `target`"),
        (json!({ "only": " " }), "`only` has no text"),
    ] {
        let (status, answer) = ask(more);
        assert_eq!((status, &answer["error"]["code"]), (400, &json!("bad_request")));
        assert!(answer["error"]["message"].to_string().contains(words), "{answer}");
    }
    assert_eq!(server.end(Signal::TERM), 0);
}

/// In 32 bits a sentence's translation does not depend on those that are translated with it.
#[test]
fn batches_change_no_translation() {
    let place = Workplace::new();
    let (plan, run) = trained(&place);
    let texts: Vec<String> = (0..16).flat_map(|client| lines(client, "cs")).collect();
    for beam in ["--beam=1", "--beam=4"] {
        let by = |batch| {
            let more = ["--source", "cs", "--target", "de", beam, batch];
            translated(&plan, &run, &texts, &more)
        };
        let together = by("--batch=64");
        assert!(together.iter().filter(|line| !line.is_empty()).count() > 40, "{together:?}");
        assert_eq!(by("--batch=1"), together, "{beam}");
    }
}

/// A line that memory is too small for is named, where it is translated and where it is scored.
#[test]
fn a_line_that_is_too_long_for_memory_is_named() {
    let place = Workplace::new();
    let (plan, run) = trained(&place);
    let ended = |words: usize, given: &str, most: Option<u64>| {
        let mut command =
            worker("translate", &plan, &run, &["--source", "cs", "--target", "de", given]);
        command.env("MALLOC_ARENA_MAX", "1").stdin(Stdio::piped());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        prlimit(Some(pid), Resource::As, Rlimit { current: most, maximum: most }).unwrap();
        let text = format!("cs1\tde1\n{}\tde1\n", "cs1 ".repeat(words));
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    };
    for given in ["--given=prefix", "--given=translation"] {
        assert!(ended(1, given, None).status.success());
        let end = ended(200_000, given, Some(1 << 30));
        let words = String::from_utf8_lossy(&end.stderr);
        assert_eq!(end.status.code(), Some(1), "{words}");
        assert!(
            words.contains("line 2: memory is too small for one line of 200001 pieces"),
            "{words}"
        );
        assert!(!words.contains("panicked"), "{words}");
    }
}

/// A server that gets little more memory than it has: it says that it splits, and answers the same.
#[test]
fn a_batch_that_is_too_large_for_memory_is_split() {
    let place = Workplace::new();
    let (plan, run) = trained(&place);
    let mut server = start(&plan, &run, &[]);
    let (status, _) = server.translate(&json!({ "from": "cs", "to": "de", "text": "cs1" }));
    assert_eq!(status, 200);
    let text = std::fs::read_to_string(format!("/proc/{}/status", server.child.id())).unwrap();
    let size = text.lines().find_map(|line| line.strip_prefix("VmSize:")).expect("a size");
    let size: u64 = size.trim().trim_end_matches(" kB").parse().unwrap();
    let most = Some((size << 10) + (24 << 20));
    prlimit(Some(server.pid()), Resource::As, Rlimit { current: most, maximum: most }).unwrap();
    let texts: Vec<String> = (0..64).map(|at| format!("cs{} ", at % 40).repeat(60)).collect();
    let asked = json!({ "from": "cs", "to": "de", "texts": texts, "beam": 24, "max_ratio": 0, "max_length": 70 });
    let (status, answer) = server.translate(&asked);
    assert_eq!(status, 200, "{answer}");
    let more =
        ["--source", "cs", "--target", "de", "--beam=24", "--max-ratio=0", "--max-length=70"];
    let expected = translated(&plan, &run, &texts, &more);
    let found = answer["translations"].as_array().expect("a list");
    assert!(found.iter().zip(&expected).all(|(found, expected)| found["text"] == **expected));
    assert_eq!(server.end(Signal::TERM), 0);
    let mut words = String::new();
    server.stderr.read_to_string(&mut words).unwrap();
    assert!(words.contains("out of memory with 64 sentences together"), "{words}");
    assert!(!words.contains("panicked"), "{words}");
}
