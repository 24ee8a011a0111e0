//! HTTP: connections to requests, answers to JSON, on one thread. A request waits for its answer without a thread of its own.
//!
//! Nobody can hold up the others: a head and a body must have come within a time, a connection is idle no longer than that, and there
//! are only so many at once. A request takes its place in the queue when it has come in whole.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE, EXPECT, HeaderValue, RETRY_AFTER};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use rustix::net::sockopt;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::{sleep, timeout};

use super::Limits;
use super::request::{self, Refusal};
use super::work::{Found, Job};
use crate::translate::TranslateError;

/// How often a signal is looked for.
const POLL: Duration = Duration::from_millis(50);
/// Connections at once; more wait to be accepted. Files are left for everything else where a process may open 1024.
const CONNECTIONS: usize = 512;
/// Bytes of a request's head.
const HEAD: usize = 64 << 10;
/// Rest after a connection that could not be accepted.
const REST: Duration = Duration::from_millis(100);
/// Behind so long a time of nothing else the server gives up.
const GIVE_UP: Duration = Duration::from_mins(1);

/// Where requests come in.
pub(super) struct Desk {
    runtime: tokio::runtime::Runtime,
    listener: TcpListener,
    address: SocketAddr,
    shared: Arc<Shared>,
}

/// What all requests see.
struct Shared {
    limits: Limits,
    languages: Vec<String>,
    /// Requests that wait or are worked on.
    waiting: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
}

/// A place in the queue; free again when it is dropped.
#[derive(Debug)]
pub(super) struct Place(Arc<AtomicUsize>);

impl Place {
    /// Takes one of so many; else tells how many are taken.
    fn take(taken: &Arc<AtomicUsize>, most: usize) -> Result<Self, usize> {
        let free = |taken: usize| (taken < most).then_some(taken + 1);
        taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, free)?;
        Ok(Self(Arc::clone(taken)))
    }

    #[cfg(test)]
    pub(super) fn of_a_test() -> Self {
        Self(Arc::new(AtomicUsize::new(1)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Desk {
    /// Listens at an address.
    pub(super) fn open(
        address: SocketAddr,
        limits: Limits,
        languages: Vec<String>,
        stop: Arc<AtomicBool>,
    ) -> Result<Self, TranslateError> {
        let refused = |fault| TranslateError::Listen { address: address.to_string(), fault };
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(refused)?;
        let listener = runtime.block_on(TcpListener::bind(address)).map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let shared = Arc::new(Shared { limits, languages, waiting: Arc::default(), stop });
        Ok(Self { runtime, listener, address, shared })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes requests until a signal. When all that were taken are answered, nobody holds `jobs` any more. Fails when no connection
    /// can be accepted.
    pub(super) fn accept(self, jobs: Sender<Job>) -> Result<(), TranslateError> {
        let Self { runtime, listener, address, shared } = self;
        runtime.block_on(async {
            let connections = GracefulShutdown::new();
            let end = accept_until_stopped(&listener, &shared, jobs, &connections).await;
            drop(listener);
            connections.shutdown().await;
            end.map_err(|fault| TranslateError::Listen { address: address.to_string(), fault })
        })
    }
}

/// Accepts connections, of which only so many are served at once, until a signal.
async fn accept_until_stopped(
    listener: &TcpListener,
    shared: &Arc<Shared>,
    jobs: Sender<Job>,
    connections: &GracefulShutdown,
) -> std::io::Result<()> {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut refused_since: Option<Instant> = None;
    while !shared.stop.load(Ordering::Relaxed) {
        match timeout(POLL, next(listener, &places)).await {
            Err(_) => {}
            Ok(Ok(accepted)) => {
                refused_since = None;
                serve(accepted, shared, &jobs, connections);
            }
            // A client that has gone already, or no file to be had: connections that end give theirs back.
            Ok(Err(fault)) => {
                let since = *refused_since.get_or_insert_with(Instant::now);
                if since.elapsed() > GIVE_UP {
                    return Err(fault);
                }
                sleep(REST).await;
            }
        }
    }
    Ok(())
}

/// The next connection, when there is a place for it.
async fn next(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> std::io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.map_err(std::io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, place))
}

/// Answers the requests of a connection beside those of others.
fn serve(
    (stream, place): (TcpStream, OwnedSemaphorePermit),
    shared: &Arc<Shared>,
    jobs: &Sender<Job>,
    connections: &GracefulShutdown,
) {
    let patience = shared.limits.patience();
    let milliseconds = u32::try_from(patience.as_millis()).unwrap_or(u32::MAX);
    // A client that does not take its answer is left as well. Without either setting it is only served less well.
    let _ = sockopt::set_tcp_user_timeout(&stream, milliseconds);
    let _ = stream.set_nodelay(true);
    let (shared, jobs) = (Arc::clone(shared), jobs.clone());
    let service = service_fn(move |request| {
        let (shared, jobs) = (Arc::clone(&shared), jobs.clone());
        async move { Ok::<_, Infallible>(shared.answer(request, &jobs).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience)
        .max_buf_size(HEAD)
        .serve_connection(TokioIo::new(stream), service);
    let connection = connections.watch(connection);
    tokio::spawn(async move {
        // A client that has gone away needs no answer.
        let _ = connection.await;
        drop(place);
    });
}

impl Shared {
    async fn answer(
        &self,
        request: Request<Incoming>,
        jobs: &Sender<Job>,
    ) -> Response<Full<Bytes>> {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let answer = match (path.as_str(), &method) {
            ("/health", &Method::GET) => Ok(self.health()),
            ("/translate", &Method::POST) => self.translated(request, jobs).await,
            ("/health", _) => Err(Refusal::new(405, "method", "`/health` is asked by GET")),
            ("/translate", _) => Err(Refusal::new(405, "method", "`/translate` is asked by POST")),
            _ => {
                let message = format!("there are `/translate` and `/health`, not `{path}`");
                Err(Refusal::new(404, "unknown_path", message))
            }
        };
        let (status, body) = match answer {
            Ok(body) => (200, body),
            Err(refusal) => (refusal.status, json!({ "error": refusal })),
        };
        let mut response = Response::new(Full::from(format!("{body}\n")));
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
        let asked_by = if path == "/health" { "GET" } else { "POST" };
        let headers = [
            Some((CONTENT_TYPE, "application/json")),
            (status == 503).then_some((RETRY_AFTER, "1")),
            (status == 405).then_some((ALLOW, asked_by)),
        ];
        for (name, value) in headers.into_iter().flatten() {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response
    }

    fn health(&self) -> Value {
        let waiting = self.waiting.load(Ordering::Relaxed);
        json!({ "status": "ok", "languages": self.languages, "waiting": waiting })
    }

    async fn translated(
        &self,
        request: Request<Incoming>,
        jobs: &Sender<Job>,
    ) -> Result<Value, Refusal> {
        let bytes = self.body(request).await?;
        let request = request::read(&bytes, self.limits)?;
        let place = Place::take(&self.waiting, self.limits.queue as usize).map_err(|taken| {
            Refusal::new(503, "busy", format!("{taken} requests wait; come back later"))
        })?;
        let (from, to) = (request.from.clone(), request.to.clone());
        let (answer, answered) = oneshot::channel();
        let stopped = |_| Refusal::new(503, "stopped", "the server is ending");
        jobs.send(Job { request, answer, place }).map_err(|fault| stopped(fault.to_string()))?;
        let found = answered.await.map_err(|fault| stopped(fault.to_string()))??;
        Ok(match found {
            Found::Translations(all) => json!({ "from": from, "to": to, "translations": all }),
            Found::Scores(all) => json!({ "from": from, "to": to, "scores": all }),
        })
    }

    /// The bytes of a request, of which no more are kept than may be.
    async fn body(&self, request: Request<Incoming>) -> Result<Vec<u8>, Refusal> {
        let most = self.limits.max_bytes;
        let too_large =
            || Refusal::new(413, "too_large", format!("a request has at most {most} bytes"));
        // Who asks first is told before sending.
        let asks = request.headers().contains_key(EXPECT);
        let mut body = request.into_body();
        if asks && body.size_hint().lower() > most {
            return Err(too_large());
        }
        let read = async {
            let (mut bytes, mut length) = (Vec::new(), 0);
            while let Some(frame) = body.frame().await {
                let Ok(data) = frame?.into_data() else { continue };
                length += data.len() as u64;
                if length <= most {
                    bytes.extend_from_slice(&data);
                } else if length > most.saturating_mul(8) {
                    break;
                }
                // Who is cut off while sending does not see the answer: some more is taken in, and forgotten.
            }
            Ok::<_, hyper::Error>((bytes, length))
        };
        let patience = self.limits.patience();
        let too_slow = |_| {
            let message = format!("a request must come in whole within {} s", patience.as_secs());
            Refusal::new(408, "too_slow", message)
        };
        let read = timeout(patience, read).await.map_err(too_slow)?;
        let (bytes, length) =
            read.map_err(|fault| Refusal::new(400, "malformed", fault.to_string()))?;
        if length > most { Err(too_large()) } else { Ok(bytes) }
    }
}
