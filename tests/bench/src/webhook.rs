//! How Stripe's deliveries are acknowledged while the broker is stopped: their times at a steady rate, and
//! how many there can be at all, beside a bare `INSERT` of the same bytes behind the same HTTP server.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::web::{self, Bytes, Data, PayloadConfig};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use api::{ServerOptions, Webhook};
use auth::AccessTokens;
use billing::Inbox;
use database::{Pool, Role};
use hdrhistogram::Histogram;
use limits::{Limiter, Table};
use messaging::{Broker, Bucket};
use reqwest::Client;
use runtime::Clock;
use simulators::stripe::signature_header;
use tokio_util::sync::CancellationToken;

use crate::report::{Row, Target};
use crate::request::contenders::{TABLE, state};
use crate::world::{self, Database, Servers};
use crate::{Failure, Sizes};

/// Deliveries a second at the steady rate.
const RATE: u32 = 200;
/// Deliveries on their way at a time while the most is measured.
const AT_ONCE: usize = 32;
/// Rounds in which both listeners take their turn.
const ROUNDS: u32 = 4;
/// Bytes of a delivery: about what an event of a subscription has.
const BODY: usize = 4 * 1024;
const SECRET: &str = "whsec_bench";
/// As many as the API has.
const WORKERS: usize = 2;

/// A listener that is asked.
#[derive(Clone)]
struct Listener {
    client: Client,
    address: String,
    name: &'static str,
}

/// Times of acknowledgement, and the most there can be.
///
/// # Errors
/// When a server refuses.
pub(crate) async fn run(servers: &Servers, sizes: &Sizes) -> Result<Vec<Row>, Failure> {
    connectors::http::install_crypto();
    let database = servers.database().await?;
    let (nats, broker) = world::broker().await?;
    drop(nats);
    let stopping = CancellationToken::new();
    let ours = ours(&database, &broker, stopping.clone())?;
    let bare = bare(&database, &ours.client, stopping.clone()).await?;
    let answers = steady(&ours, sizes.open_loop).await?;
    let (mut reached, mut limit) = (0.0, 0.0);
    for round in 0..ROUNDS {
        let slice = sizes.slice / ROUNDS;
        reached += most(&ours, slice, round).await? / f64::from(ROUNDS);
        limit += most(&bare, slice, round).await? / f64::from(ROUNDS);
    }
    stopping.cancel();
    servers.finish(database).await?;
    let at = |quantile| answers.value_at_quantile(quantile) as f64 / 1e3;
    let note = "open loop of 200 deliveries a second of 4 KiB, the broker stopped";
    Ok(vec![
        Row::new("webhook.acknowledged_p50", at(0.5), "ms").note(note),
        Row::new("webhook.acknowledged_p99", at(0.99), "ms")
            .note(note)
            .target(Target::AtMost { figure: 50.0 }),
        Row::new("webhook.rate", reached, "deliveries/s")
            .beside(
                limit,
                "a bare INSERT of the same bytes behind the same HTTP server",
            )
            .note("32 at once, the broker stopped")
            .target(Target::RatioAtLeast { ratio: 0.5 }),
    ])
}

/// The API as it is.
fn ours(database: &Database, broker: &Broker, stopping: CancellationToken) -> Result<Listener, Failure> {
    let tokens = AccessTokens::from_pem(&AccessTokens::generate_pem()?)?;
    let mut state = state(database, tokens, stopping)?;
    state.webhook = Some(Webhook {
        inbox: Inbox::new(state.reads.clone()),
        secrets: vec![SECRET.into()],
        tolerance: Duration::from_secs(300),
    });
    let mut options = ServerOptions::new(([127, 0, 0, 1], 0).into());
    let bucket = Arc::new(Bucket::limits(broker));
    let limiter = Limiter::new(bucket, Table::parse(TABLE)?, vec![7; 32], Arc::new(|_| {}));
    options.limiter = Some(Arc::new(limiter));
    let bound = api::build_with(state, options)?;
    let address = format!("http://{}/api/v1/billing/webhook", bound.address());
    tokio::spawn(bound.run());
    #[expect(
        clippy::disallowed_methods,
        reason = "who asks the API is no way out of the product"
    )]
    let client = Client::builder().no_proxy().build()?;
    Ok(Listener {
        client,
        address,
        name: "ours",
    })
}

/// The same HTTP server with one statement behind it.
async fn bare(
    database: &Database,
    client: &Client,
    stopping: CancellationToken,
) -> Result<Listener, Failure> {
    let admin = database.admin().await?;
    admin
        .batch_execute(
            "CREATE TABLE core.bare_events (event_id text PRIMARY KEY, body bytea NOT NULL);
             GRANT INSERT ON core.bare_events TO st_api",
        )
        .await?;
    let pool = database.pool(Role::Api)?;
    let server = HttpServer::new(move || {
        App::new()
            .app_data(Data::new(pool.clone()))
            .app_data(PayloadConfig::new(256 * 1024))
            .route("/", web::post().to(insert))
    })
    .workers(WORKERS)
    .disable_signals()
    .bind(("127.0.0.1", 0))?;
    let address = server
        .addrs()
        .first()
        .copied()
        .ok_or("the bare server has no address")?;
    let server = server.run();
    let handle = server.handle();
    tokio::spawn(server);
    tokio::spawn(async move {
        stopping.cancelled().await;
        handle.stop(true).await;
    });
    Ok(Listener {
        client: client.clone(),
        address: format!("http://{address}/"),
        name: "bare",
    })
}

async fn insert(request: HttpRequest, body: Bytes, pool: Data<Pool>) -> HttpResponse {
    let id = request.headers().get("event-id").and_then(|id| id.to_str().ok());
    match keep(&pool, id.unwrap_or_default(), &body).await {
        Ok(()) => HttpResponse::Ok().body("{\"status\":\"success\"}"),
        Err(error) => HttpResponse::InternalServerError().body(error.to_string()),
    }
}

async fn keep(pool: &Pool, id: &str, body: &[u8]) -> Result<(), Failure> {
    let session = pool.get().await?;
    let statement = session
        .prepare_cached("INSERT INTO core.bare_events (event_id, body) VALUES ($1, $2)")
        .await?;
    session.execute(&statement, &[&id, &body]).await?;
    Ok(())
}

/// One delivery of its own; its time from when it was sent.
async fn deliver(listener: &Listener, id: &str) -> Result<(), Failure> {
    let head = format!(
        "{{\"id\": \"{id}\", \"object\": \"event\", \"type\": \"customer.subscription.updated\", \"data\": \
         {{\"object\": {{\"id\": \"sub_1\", \"customer\": \"cus_1\", \"note\": \""
    );
    let filling = "x".repeat(BODY.saturating_sub(head.len()));
    let body = format!("{head}{filling}\"}}}}}}");
    let signature = signature_header(&[SECRET.to_owned()], Clock::system().now().timestamp(), &body);
    let answer = listener
        .client
        .post(&listener.address)
        .header("stripe-signature", signature)
        .header("event-id", id)
        .body(body)
        .send()
        .await?;
    let status = answer.status();
    let text = answer.text().await?;
    if status.is_success() {
        Ok(())
    } else {
        Err(format!("{}: {status}: {text}", listener.name).into())
    }
}

/// Times from when each delivery was due, in microseconds.
async fn steady(listener: &Listener, time: Duration) -> Result<Histogram<u64>, Failure> {
    // Connections and statements are made by the first ones.
    for number in 0..20 {
        deliver(listener, &format!("evt_warm_{number}")).await?;
    }
    let total = RATE * u32::try_from(time.as_millis()).unwrap_or(u32::MAX) / 1_000;
    let began = Instant::now();
    let mut running = Vec::new();
    for number in 0..total {
        let due = began + Duration::from_secs(1) * number / RATE;
        tokio::time::sleep_until(due.into()).await;
        let listener = listener.clone();
        running.push(tokio::spawn(async move {
            deliver(&listener, &format!("evt_steady_{number}")).await?;
            Ok::<Duration, Failure>(due.elapsed())
        }));
    }
    let mut answers = Histogram::new(3)?;
    for delivery in running {
        answers.record(u64::try_from(delivery.await??.as_micros())?)?;
    }
    Ok(answers)
}

/// Deliveries a second with so many on their way at a time.
async fn most(listener: &Listener, time: Duration, round: u32) -> Result<f64, Failure> {
    let began = Instant::now();
    let mut running = Vec::new();
    for lane in 0..AT_ONCE {
        let listener = listener.clone();
        running.push(tokio::spawn(async move {
            let mut count = 0_u32;
            while began.elapsed() < time {
                deliver(&listener, &format!("evt_{round}_{lane}_{count}")).await?;
                count += 1;
            }
            Ok::<u32, Failure>(count)
        }));
    }
    let mut total = 0.0;
    for lane in running {
        total += f64::from(lane.await??);
    }
    Ok(total / began.elapsed().as_secs_f64())
}
