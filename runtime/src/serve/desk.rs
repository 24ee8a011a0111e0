//! HTTP: connections to requests, answers to JSON. Each request has a thread that waits for its answer.

use std::io::{self, Read as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Sender};
use std::time::Duration;

use serde_json::{Value, json};
use tiny_http::{Header, Method, Response, Server};

use super::Limits;
use super::request::{self, Refusal};
use super::work::Job;
use crate::translate::TranslateError;

/// How often a signal is looked for.
const POLL: Duration = Duration::from_millis(50);

/// Where requests come in.
pub(super) struct Desk {
    server: Server,
    address: SocketAddr,
    shared: Arc<Shared>,
}

/// What the threads of requests see.
struct Shared {
    limits: Limits,
    languages: Vec<String>,
    /// Requests that wait or are worked on.
    waiting: AtomicUsize,
    stop: Arc<AtomicBool>,
}

impl Desk {
    /// Listens at an address.
    pub(super) fn open(
        address: SocketAddr,
        limits: Limits,
        languages: Vec<String>,
        stop: Arc<AtomicBool>,
    ) -> Result<Self, TranslateError> {
        let refused =
            |fault: String| TranslateError::Listen { address: address.to_string(), fault };
        let server = Server::http(address).map_err(|fault| refused(fault.to_string()))?;
        let listens = server.server_addr().to_ip();
        let address = listens.ok_or_else(|| refused("it is no address of IP".to_owned()))?;
        let waiting = AtomicUsize::new(0);
        Ok(Self { server, address, shared: Arc::new(Shared { limits, languages, waiting, stop }) })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes requests until a signal. When all that were taken are answered, nobody holds `jobs` any more.
    pub(super) fn accept(&self, jobs: &Sender<Job>) {
        while !self.shared.stop.load(Ordering::Relaxed) {
            let Ok(Some(request)) = self.server.recv_timeout(POLL) else { continue };
            let (shared, jobs) = (Arc::clone(&self.shared), jobs.clone());
            std::thread::spawn(move || {
                shared.answer(request, &jobs);
                drop(jobs);
            });
        }
    }
}

impl Shared {
    fn answer(&self, mut request: tiny_http::Request, jobs: &Sender<Job>) {
        let path = request.url().split('?').next().unwrap_or_default().to_owned();
        let answer = match (path.as_str(), request.method()) {
            ("/health", Method::Get) => Ok(self.health()),
            ("/translate", Method::Post) => {
                let taken = self.waiting.fetch_add(1, Ordering::Relaxed);
                let answer = if taken >= self.limits.queue as usize {
                    let message = format!("{taken} requests wait; come back later");
                    Err(Refusal::new(503, "busy", message))
                } else {
                    self.translated(&mut request, jobs)
                };
                self.waiting.fetch_sub(1, Ordering::Relaxed);
                answer
            }
            ("/health", _) => Err(Refusal::new(405, "method", "`/health` is asked by GET")),
            ("/translate", _) => Err(Refusal::new(405, "method", "`/translate` is asked by POST")),
            _ => Err(Refusal::new(
                404,
                "unknown_path",
                format!("there are `/translate` and `/health`, not `{path}`"),
            )),
        };
        let (status, body) = match answer {
            Ok(body) => (200, body),
            Err(refusal) => (refusal.status, json!({ "error": refusal })),
        };
        let mut response = Response::from_string(format!("{body}\n")).with_status_code(status);
        let headers = [
            Some(("Content-Type", "application/json")),
            (status == 503).then_some(("Retry-After", "1")),
            (status == 405).then_some(("Allow", if path == "/health" { "GET" } else { "POST" })),
        ];
        for (name, value) in headers.into_iter().flatten() {
            if let Ok(header) = Header::from_bytes(name, value) {
                response.add_header(header);
            }
        }
        // A client that has gone away needs no answer.
        let _ = request.respond(response);
    }

    fn health(&self) -> Value {
        let waiting = self.waiting.load(Ordering::Relaxed);
        json!({ "status": "ok", "languages": self.languages, "waiting": waiting })
    }

    fn translated(
        &self,
        request: &mut tiny_http::Request,
        jobs: &Sender<Job>,
    ) -> Result<Value, Refusal> {
        let bytes = self.body(request)?;
        let request = request::read(&bytes, self.limits)?;
        let direction = [request.from.clone(), request.to.clone()];
        let (answer, answered) = mpsc::channel();
        let stopped = |_| Refusal::new(503, "stopped", "the server is ending");
        jobs.send(Job { request, answer }).map_err(|fault| stopped(fault.to_string()))?;
        let translations = answered.recv().map_err(|fault| stopped(fault.to_string()))??;
        let [from, to] = direction;
        Ok(json!({ "from": from, "to": to, "translations": translations }))
    }

    /// The bytes of a request, of which no more are read than may be.
    fn body(&self, request: &mut tiny_http::Request) -> Result<Vec<u8>, Refusal> {
        let most = self.limits.max_bytes;
        let too_large =
            || Refusal::new(413, "too_large", format!("a request has at most {most} bytes"));
        if request.body_length().is_some_and(|length| length as u64 > most) {
            return Err(too_large());
        }
        let mut bytes = Vec::new();
        let read = request.as_reader().take(most + 1).read_to_end(&mut bytes);
        read.map_err(|fault: io::Error| Refusal::new(400, "malformed", fault.to_string()))?;
        if bytes.len() as u64 <= most {
            return Ok(bytes);
        }
        // Who is cut off while sending does not see the answer: some more is taken in, and forgotten.
        let _ = io::copy(&mut request.as_reader().take(most.saturating_mul(8)), &mut io::sink());
        Err(too_large())
    }
}
