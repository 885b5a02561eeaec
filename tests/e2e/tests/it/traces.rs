//! One trace over all processes, as a collector gets it; and a collector that is of no use.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value as Any};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use serde_json::json;
use support::{SOON, eventually};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::seller::{PASSWORD, plain, send};
use crate::world::World;

const CALLER: &str = "b7ad6b7169203331";
const EMAIL: &str = "anna.traced@example.com";
const COMPANY: &str = "Canary and Sons";

/// A span, and what the process that sent it says of itself.
#[derive(Debug, Clone)]
struct Told {
    origin: Vec<KeyValue>,
    span: Span,
}

impl Told {
    fn origin(&self, name: &str) -> &str {
        let found = self.origin.iter().find(|attribute| attribute.key == name);
        match found.and_then(|attribute| attribute.value.as_ref()?.value.as_ref()) {
            Some(Any::StringValue(text)) => text,
            other => panic!("{name} is {other:?}"),
        }
    }

    fn trace(&self) -> String {
        hex(&self.span.trace_id)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An OTLP collector (`POST /v1/traces`, protobuf) that keeps what it is told.
pub(crate) struct Collector {
    pub(crate) address: String,
    told: Arc<Mutex<Vec<Told>>>,
}

impl Collector {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let told: Arc<Mutex<Vec<Told>>> = Arc::default();
        let kept = Arc::clone(&told);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(collect(stream, Arc::clone(&kept)));
            }
        });
        Self { address, told }
    }

    /// All that was told, as text.
    pub(crate) fn everything(&self) -> String {
        format!("{:?}", self.told.lock().unwrap())
    }

    fn of_trace(&self, trace: &str) -> Vec<Told> {
        let told = self.told.lock().unwrap();
        told.iter()
            .filter(|told| told.trace() == trace)
            .cloned()
            .collect()
    }
}

/// Takes requests off a connection until it is closed.
async fn collect(mut stream: TcpStream, told: Arc<Mutex<Vec<Told>>>) -> Option<()> {
    let mut bytes = Vec::new();
    loop {
        let end = loop {
            if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            read_more(&mut stream, &mut bytes).await?;
        };
        let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
        assert!(head.starts_with("post /v1/traces http/1.1\r\n"), "{head}");
        assert!(
            head.contains("content-type: application/x-protobuf\r\n"),
            "{head}"
        );
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.unwrap().trim().parse().unwrap();
        while bytes.len() < end + length {
            read_more(&mut stream, &mut bytes).await?;
        }
        let request = ExportTraceServiceRequest::decode(&bytes[end..end + length]).unwrap();
        bytes.drain(..end + length);
        for group in request.resource_spans {
            let origin = group.resource.unwrap_or_default().attributes;
            let spans = group.scope_spans.into_iter().flat_map(|scope| scope.spans);
            let spans = spans.map(|span| Told {
                origin: origin.clone(),
                span,
            });
            told.lock().unwrap().extend(spans);
        }
        let answer = ExportTraceServiceResponse::default().encode_to_vec();
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: {}\r\n\r\n",
            answer.len()
        );
        stream
            .write_all(&[head.as_bytes(), &answer].concat())
            .await
            .ok()?;
    }
}

async fn read_more(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<()> {
    let read = stream.read_buf(bytes).await.ok()?;
    (read > 0).then_some(())
}

async fn register(world: &World, email: &str, trace: &str) -> crate::seller::Answer {
    let body = json!({"email": email, "password": PASSWORD, "company_name": COMPANY});
    let request = plain()
        .post(format!("{}/api/v1/auth/register", world.address()))
        .header("Idempotency-Key", format!("register {email}"))
        .header("traceparent", format!("00-{trace}-{CALLER}-01"));
    let answer = send(request.json(&body)).await.unwrap();
    assert_eq!(answer.status, 201, "{answer:?}");
    answer
}

/// Sends the signal to end in order and waits for that.
async fn ends_in_order(world: &World, name: &str) {
    world.signal(name, "TERM");
    eventually("the process ends", SOON, || async {
        world.ended(name).ok_or_else(|| "it runs".to_owned())
    })
    .await;
    let status = world.ended(name).unwrap();
    assert_eq!(status.code(), Some(0), "{}", world.said(name));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_trace_leads_from_the_callers_request_to_the_read_models_of_another_process() {
    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    let collector = Collector::start().await;
    let mut world = World::empty(Vec::new()).await;
    world.set("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.address);
    world.begin_all().await;
    let token = register(&world, EMAIL, TRACE)
        .await
        .text("access_token")
        .to_owned();

    let named = |name: &str| {
        let spans = collector.of_trace(TRACE);
        spans.into_iter().find(|told| told.span.name == name)
    };
    let (request, append, relay, project) = ("POST /api/v1/auth/register", "append", "relay", "project");
    eventually("the collector has the whole trace", SOON, || async {
        let all = [request, append, relay, project];
        match all.iter().find(|name| named(name).is_none()) {
            None => Ok(()),
            Some(missing) => Err(format!("{missing} is missing in {:?}", collector.of_trace(TRACE))),
        }
    })
    .await;
    let (request, append) = (named(request).unwrap(), named(append).unwrap());
    let (relay, project) = (named(relay).unwrap(), named(project).unwrap());
    assert_eq!(
        hex(&request.span.parent_span_id),
        CALLER,
        "the caller's trace goes on"
    );
    for (told, role) in [(&append, "api"), (&relay, "relay"), (&project, "projector")] {
        assert_eq!(told.span.parent_span_id, request.span.span_id, "{told:?}");
        assert_eq!(told.origin("stock.role"), role);
        assert_eq!(told.origin("service.name"), "stock-tracker");
        assert!(!told.origin("service.version").is_empty());
        assert!(told.span.end_time_unix_nano >= told.span.start_time_unix_nano);
    }
    let everything = collector.everything();
    for secret in [EMAIL, COMPANY, PASSWORD, &token] {
        assert!(!everything.contains(secret), "{secret} was told to the collector");
    }

    // The last spans go out with the process that made them.
    const LAST: &str = "11111111111111112222222222222222";
    register(&world, "boris.traced@example.com", LAST).await;
    ends_in_order(&world, "api").await;
    let last = collector.of_trace(LAST);
    assert!(
        last.iter()
            .any(|told| told.span.name == "POST /api/v1/auth/register"),
        "{last:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_never_answers_costs_its_spans_and_nothing_else() {
    // Connections are taken by the kernel, and nobody ever reads them.
    let hole = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut world = World::empty(Vec::new()).await;
    let address = format!("http://{}", hole.local_addr().unwrap());
    world.set("OTEL_EXPORTER_OTLP_ENDPOINT", &address);
    world.tool(&["migrate"]);
    world.tool(&["nats", "apply"]);
    world.begin("api");
    world.ready().await;
    // More spans than may wait.
    let live = format!("{}/api/v1/health/live", world.address());
    let began = std::time::Instant::now();
    for _ in 0..9_000 {
        let answer = plain().get(&live).send().await.unwrap();
        assert!(answer.status().is_success(), "{answer:?}");
    }
    let slow = Duration::from_secs(5);
    let each = began.elapsed() / 9_000;
    assert!(each < slow / 100, "a request took {each:?}");
    register(&world, EMAIL, "0af7651916cd43dd8448eb211c80319c").await;
    ends_in_order(&world, "api").await;
}
