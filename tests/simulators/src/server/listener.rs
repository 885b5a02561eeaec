//! Runs a simulator on a thread of its own, because actix wants its own system while tests live on plain
//! tokio.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use actix_web::body::SizedStream;
use actix_web::dev::ServerHandle;
use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, CONTENT_TYPE, DATE};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::StreamExt;
use serde::Deserialize;
use serde_json::json;

use super::answer::{Answer, Call, parse_query, percent_decode};
use super::calls::{CallLog, Calls};
use super::damage::{Breaker, Damage};
use super::faults::{Effect, Fault, Faults, distort};
use super::market::with;
use super::weather::{Sky, Weather};
use super::{Simulated, SimulatorError};

/// Google accepted 9 MB in one request; this leaves room for everything that a test may try.
const MAX_BODY: usize = 64 * 1024 * 1024;
/// Longer than any client's own idle time, so that a pooled connection is never closed under a request.
const KEEP_ALIVE: Duration = Duration::from_secs(120);
/// Between the first half of a cut body and the end of its connection.
const CUT_AFTER: Duration = Duration::from_millis(50);
/// How often a simulator is told that time has passed.
const TICK: Duration = Duration::from_millis(200);

struct Core {
    service: Arc<dyn Simulated>,
    calls: Arc<CallLog>,
    faults: Arc<Faults>,
    sky: Arc<Sky>,
    breaker: Arc<Breaker>,
}

/// A running server: its address, its call log and its misbehaviour, the same for every simulator.
pub struct Listener {
    address: SocketAddr,
    handle: ServerHandle,
    thread: Option<JoinHandle<()>>,
    calls: Arc<CallLog>,
    faults: Arc<Faults>,
    sky: Arc<Sky>,
    breaker: Arc<Breaker>,
}

impl Listener {
    /// Binds the port; separate from [`Listener::start`] because a service may need its own address first.
    pub(crate) fn bind(port: u16) -> Result<(TcpListener, SocketAddr), SimulatorError> {
        let listen = |source| SimulatorError::Listen { port, source };
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(listen)?;
        let address = socket.local_addr().map_err(listen)?;
        Ok((socket, address))
    }

    /// Serves `service` on the bound socket with `workers` threads.
    pub(crate) async fn start(
        socket: TcpListener,
        service: Arc<dyn Simulated>,
        workers: usize,
    ) -> Result<Self, SimulatorError> {
        let address = socket
            .local_addr()
            .map_err(|source| SimulatorError::Listen { port: 0, source })?;
        let (calls, faults) = (Arc::new(CallLog::new()), Arc::new(Faults::new()));
        let (sky, breaker) = (Arc::new(Sky::default()), Arc::new(Breaker::default()));
        let core = web::Data::new(Core {
            service,
            calls: Arc::clone(&calls),
            faults: Arc::clone(&faults),
            sky: Arc::clone(&sky),
            breaker: Arc::clone(&breaker),
        });
        let (ready, started) = tokio::sync::oneshot::channel();
        let thread = std::thread::Builder::new()
            .name(format!("simulator-{}", address.port()))
            .spawn(move || actix_web::rt::System::new().block_on(serve(socket, core, workers, ready)))
            .map_err(|source| SimulatorError::Listen {
                port: address.port(),
                source,
            })?;
        match started.await {
            Ok(Ok(handle)) => Ok(Self {
                address,
                handle,
                thread: Some(thread),
                calls,
                faults,
                sky,
                breaker,
            }),
            Ok(Err(source)) => Err(SimulatorError::Listen {
                port: address.port(),
                source,
            }),
            Err(_closed) => Err(SimulatorError::Thread),
        }
    }

    /// Address for every base-address setting, without a trailing slash.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Adds a fault rule.
    pub fn script(&self, fault: Fault) {
        self.faults.add(fault);
    }

    /// Ends all fault rules and lets hanging calls go.
    pub fn clear_faults(&self) {
        self.faults.clear();
    }

    /// Lets hanging calls go.
    pub fn release(&self) {
        self.faults.release();
    }

    /// Number of calls that a rule holds at this moment: whoever waits for one to arrive looks here.
    #[must_use]
    pub fn held(&self) -> usize {
        self.faults.held()
    }

    /// Waits until rules hold so many calls.
    pub async fn until_held(&self, calls: usize) {
        self.faults.until_held(calls).await;
    }

    /// Lets sources fail now and then, or ends that.
    pub fn weather(&self, weather: Weather) {
        self.sky.set(weather);
    }

    /// Damages single rows of answers, or ends that.
    pub fn damage(&self, damage: Damage) {
        self.breaker.set(damage);
    }

    /// The call log.
    #[must_use]
    pub fn calls(&self) -> Calls {
        self.calls.snapshot(true)
    }

    /// Empties the call log.
    pub fn clear_calls(&self) {
        self.calls.clear();
    }

    /// Closes the socket and waits for the thread.
    pub(crate) async fn stop(mut self) {
        self.faults.clear();
        self.handle.stop(false).await;
        if let Some(thread) = self.thread.take() {
            let joined = tokio::task::spawn_blocking(move || thread.join().is_ok()).await;
            if !joined.unwrap_or(false) {
                tracing::warn!("a simulator's thread panicked");
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.faults.clear();
            // The command is sent by the call itself; nobody is left to await its completion.
            drop(self.handle.stop(false));
        }
    }
}

type Ready = tokio::sync::oneshot::Sender<Result<ServerHandle, std::io::Error>>;

async fn serve(socket: TcpListener, core: web::Data<Core>, workers: usize, ready: Ready) {
    let ticking = core.clone();
    let server = HttpServer::new(move || {
        App::new()
            .app_data(core.clone())
            .app_data(web::PayloadConfig::new(MAX_BODY))
            .default_service(web::to(handle))
    })
    .workers(workers)
    .keep_alive(KEEP_ALIVE)
    .client_request_timeout(Duration::ZERO)
    .disable_signals()
    .shutdown_timeout(1)
    .listen(socket);
    let server = match server {
        Ok(server) => server.run(),
        Err(error) => {
            if ready.send(Err(error)).is_err() {
                tracing::warn!("nobody waits for the simulator");
            }
            return;
        }
    };
    if ready.send(Ok(server.handle())).is_err() {
        return;
    }
    let ticks = actix_web::rt::spawn(async move {
        let mut interval = tokio::time::interval(TICK);
        loop {
            interval.tick().await;
            ticking.service.tick();
        }
    });
    if let Err(error) = server.await {
        tracing::warn!(%error, "a simulator's server ended with an error");
    }
    ticks.abort();
}

async fn handle(request: HttpRequest, body: Bytes, core: web::Data<Core>) -> HttpResponse {
    let text = |name| {
        request
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned)
    };
    let call = Call {
        method: request.method().as_str().to_owned(),
        path: percent_decode(request.uri().path()),
        query: parse_query(request.query_string()),
        authorization: text(AUTHORIZATION),
        headers: request
            .headers()
            .iter()
            .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
            .collect(),
        body,
    };
    if call.path.starts_with("/_sim/") {
        return send(control(&core, &call), None);
    }
    let mut running = core.calls.enter(&call.method, &call.path);
    if let Some(answer) = core.service.enter(&call) {
        running.status(answer.status);
        return send(answer, core.service.date());
    }
    let _present = Present {
        service: core.service.as_ref(),
        call: &call,
    };
    let principal = core.service.principal(&call);
    let scripted = core.faults.pick(&call.method, &call.path, principal.as_deref());
    let date = core.service.date();
    let effect = scripted.or_else(|| {
        let (source, ways) = core.service.exposed(&call)?;
        core.sky.over(source, principal.as_deref()?, date?, &ways)
    });
    if let Some(Effect::Hang { millis }) = &effect {
        core.faults.wait(*millis).await;
    }
    let started = Instant::now();
    let answer = match &effect {
        Some(Effect::RateLimited { retry_seconds }) => core.service.rate_limited(&call, *retry_seconds),
        Some(Effect::Status {
            status,
            body,
            content_type,
        }) => {
            let kind = content_type
                .clone()
                .unwrap_or_else(|| "application/json".to_owned());
            running.status(*status);
            return HttpResponse::build(status_code(*status))
                .insert_header((CONTENT_TYPE, kind))
                .body(body.clone());
        }
        Some(Effect::ContentType { value }) => {
            let answer = respond(&core, &call).await;
            running.status(answer.status);
            return HttpResponse::build(status_code(answer.status))
                .insert_header((CONTENT_TYPE, value.clone()))
                .body(answer.body);
        }
        Some(effect) => distort(effect, respond(&core, &call).await),
        None => {
            let answer = respond(&core, &call).await;
            match (core.service.exposed(&call), principal.as_deref(), date) {
                (Some((source, _)), Some(seller), Some(now)) => {
                    core.breaker.damage(source, seller, now, answer)
                }
                _ => answer,
            }
        }
    };
    running.spent(started.elapsed());
    if let Some(Effect::Late { millis }) = &effect {
        core.faults.wait(*millis).await;
    }
    if let Some(millis) = answer.late_millis {
        core.faults.wait(Some(millis)).await;
    }
    if effect == Some(Effect::CutBody) {
        return cut(&answer);
    }
    if effect == Some(Effect::Reset) || answer.status == 0 {
        return reset();
    }
    running.status(answer.status);
    send(answer, date)
}

async fn respond(core: &Core, call: &Call) -> Answer {
    match core.service.respond_later(call) {
        Some(later) => later.await,
        None => core.service.respond(call),
    }
}

/// A call between its arrival and its end, which may also be that the client went away.
struct Present<'a> {
    service: &'a dyn Simulated,
    call: &'a Call,
}

impl Drop for Present<'_> {
    fn drop(&mut self) {
        self.service.leave(self.call);
    }
}

fn status_code(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn send(answer: Answer, date: Option<DateTime<Utc>>) -> HttpResponse {
    let mut response = HttpResponse::build(status_code(answer.status));
    if let Some(date) = date {
        response.insert_header((DATE, date.format("%a, %d %b %Y %H:%M:%S GMT").to_string()));
    }
    for (name, value) in answer.headers {
        response.insert_header((name, value));
    }
    if answer.body.is_empty() {
        return response.finish();
    }
    response
        .insert_header((CONTENT_TYPE, answer.content_type))
        .body(answer.body)
}

/// Promises the whole body and breaks off after its first half.
fn cut(answer: &Answer) -> HttpResponse {
    let length = answer.body.len() as u64;
    let half = answer.body.slice(..answer.body.len() / 2);
    let broken = std::io::Error::new(std::io::ErrorKind::ConnectionReset, "cut by script");
    let parts = futures_util::stream::once(async { Ok(half) }).chain(futures_util::stream::once(async {
        // The first half leaves only when the server has nothing else to do.
        tokio::time::sleep(CUT_AFTER).await;
        Err(broken)
    }));
    HttpResponse::build(status_code(answer.status))
        .insert_header((CONTENT_TYPE, answer.content_type))
        .body(SizedStream::new(length, Box::pin(parts)))
}

/// An answer that breaks before its first byte.
fn reset() -> HttpResponse {
    let broken = || std::io::Error::new(std::io::ErrorKind::ConnectionReset, "reset by script");
    let nothing = futures_util::stream::once(async move { Err::<Bytes, _>(broken()) });
    HttpResponse::Ok().body(SizedStream::new(1, Box::pin(nothing)))
}

/// One rule or a list of them.
#[derive(Deserialize)]
#[serde(untagged)]
enum Script {
    Many(Vec<Fault>),
    One(Fault),
}

fn control(core: &Core, call: &Call) -> Answer {
    match (call.method.as_str(), call.path.as_str()) {
        ("GET", "/_sim/calls") => {
            Answer::json(200, &core.calls.snapshot(call.param("list") != Some("false")))
        }
        ("DELETE", "/_sim/calls") => {
            core.calls.clear();
            Answer::empty(204)
        }
        ("GET", "/_sim/faults") => Answer::json(200, &core.faults.list()),
        ("DELETE", "/_sim/faults") => {
            core.faults.clear();
            Answer::empty(204)
        }
        ("GET", "/_sim/weather") => Answer::json(200, &core.sky.hits()),
        ("POST", "/_sim/weather") => with::<Weather>(call, |weather| {
            core.sky.set(weather);
            Answer::empty(204)
        }),
        ("GET", "/_sim/damage") => Answer::json(200, &core.breaker.hits()),
        ("POST", "/_sim/damage") => with::<Damage>(call, |damage| {
            core.breaker.set(damage);
            Answer::empty(204)
        }),
        ("POST", "/_sim/release") => {
            core.faults.release();
            Answer::empty(204)
        }
        ("POST", "/_sim/faults") => match call.json::<Script>() {
            Ok(Script::Many(faults)) => {
                faults.into_iter().for_each(|fault| core.faults.add(fault));
                Answer::empty(204)
            }
            Ok(Script::One(fault)) => {
                core.faults.add(fault);
                Answer::empty(204)
            }
            Err(error) => Answer::json(400, &json!({"error": error.to_string()})),
        },
        _ => core.service.control(call),
    }
}
