//! What every request pays before its own work: being counted against the limits, and seeing one tenant's
//! rows only. Four listeners of the real API answer the same request over HTTP: with and without limits, over
//! a database with its policies and over a copy of it without them. They are asked in turns, one request
//! each, so that whatever else the machine does meets all four; a cost is the median of the differences
//! within a turn.

pub(crate) mod contenders;

use std::time::Instant;

use database::Role;
use event_store::GlobalReader;
use events::ids::UserId;
use read_models::Inventory;
use reqwest::Client;
use secrecy::ExposeSecret as _;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::report::{Row, Target};
use crate::world::{self, Database, Servers};
use crate::{Failure, Sizes};
use contenders::{Contender, Contenders};

/// Turns, at most; each asks every contender once.
const TURNS: usize = 12_000;
/// Turns at the beginning that are not counted: pools are filled and plans are made.
const WARM_UP: usize = 200;
/// Articles whose pages are asked for.
const ARTICLES: i64 = 30;
/// Who asks.
const USER: UserId = UserId(Uuid::from_u128(0xF));
const SESSION: Uuid = Uuid::from_u128(0x5E);

/// The costs, one by one and together.
///
/// # Errors
/// When a server refuses.
pub(crate) async fn run(servers: &Servers, sizes: &Sizes) -> Result<Vec<Row>, Failure> {
    let turns = usize::try_from(sizes.log / 25).map_or(TURNS, |few| few.clamp(WARM_UP, TURNS));
    let with = servers.database().await?;
    world::fill_log(&with, sizes.log / 10, (sizes.log / 100).max(ARTICLES)).await?;
    let reader = GlobalReader::new(with.pool(Role::Projector)?);
    projector::rebuild::<Inventory>(&with.url, &reader, &CancellationToken::new()).await?;
    drop(reader);
    let_in(&with).await?;
    let without = servers.copy(&with).await?;
    open_all_rows(&without).await?;
    let (nats, broker) = world::broker().await?;
    let contenders = Contenders::start(&with, &without, &broker)?;
    let times = measure(&contenders, turns).await?;
    drop((contenders, nats));
    servers.finish(with).await?;
    servers.finish(without).await?;
    let cost = |of: fn(&[f64; 4]) -> f64| median(times.iter().map(of)).max(0.0);
    Ok(vec![
        Row::new("request.http_p50", median(times.iter().map(|turn| turn[0])), "ms").beside(
            median(times.iter().map(|turn| turn[3])),
            "the same without limits and row-level security",
        ),
        Row::new("request.limits_p50", cost(|turn| turn[0] - turn[1]), "ms")
            .note("address, user and tenant counted; median of differences within a turn"),
        Row::new("request.row_security_p50", cost(|turn| turn[0] - turn[2]), "ms")
            .note("session, person and product seen through policies"),
        Row::new("request.both_p50", cost(|turn| turn[0] - turn[3]), "ms")
            .note("limits and row-level security together")
            .target(Target::AtMost { figure: 0.3 }),
    ])
}

/// A person who is logged in.
async fn let_in(database: &Database) -> Result<(), Failure> {
    let admin = database.admin().await?;
    admin
        .batch_execute(&format!(
            "INSERT INTO core.accounts (tenant_id, user_id, email, email_key, password_phc, role, state, created_at)
             VALUES ('{tenant}', '{USER}', 'a@b.example', 'a@b.example', '', 'viewer', 'active', now());
             INSERT INTO core.sessions (tenant_id, session_id, user_id, created_at, last_used_at, expires_at)
             VALUES ('{tenant}', '{SESSION}', '{USER}', now(), now(), now() + interval '1 day')",
            tenant = world::TENANT
        ))
        .await?;
    Ok(())
}

/// Takes the policies off every table.
async fn open_all_rows(database: &Database) -> Result<(), Failure> {
    let admin = database.admin().await?;
    admin
        .batch_execute(
            "DO $$ DECLARE t regclass; BEGIN FOR t IN SELECT c.oid FROM pg_class c \
                JOIN pg_namespace n ON n.oid = c.relnamespace \
                WHERE (n.nspname = 'core' OR n.nspname LIKE 'rm\\_%') AND c.relkind IN ('r', 'p') LOOP \
                EXECUTE format('ALTER TABLE %s DISABLE ROW LEVEL SECURITY', t); END LOOP; END $$",
        )
        .await?;
    Ok(())
}

/// Milliseconds of each contender's answer, turn by turn, in the order of [`Contenders::all`].
async fn measure(contenders: &Contenders, turns: usize) -> Result<Vec<[f64; 4]>, Failure> {
    let all = contenders.all();
    let mut times = Vec::with_capacity(turns);
    for turn in 0..WARM_UP + turns {
        let product = world::product(1 + turn as i64 % ARTICLES);
        let token = contenders.token(USER, SESSION)?;
        let mut took = [0.0; 4];
        // Another one is first each time.
        for offset in 0..all.len() {
            let index = (turn + offset) % all.len();
            if let (Some(contender), Some(took)) = (all.get(index), took.get_mut(index)) {
                *took = ask(&contenders.client, contender, product, token.expose_secret()).await?;
            }
        }
        if turn >= WARM_UP {
            times.push(took);
        }
    }
    Ok(times)
}

async fn ask(client: &Client, contender: &Contender, product: Uuid, token: &str) -> Result<f64, Failure> {
    let request = client
        .get(format!("{}/api/v1/products/{product}", contender.address))
        .bearer_auth(token)
        .build()?;
    let began = Instant::now();
    let answer = client.execute(request).await?;
    let (status, counted) = (answer.status(), answer.headers().contains_key("ratelimit"));
    let body = answer.bytes().await?;
    let took = began.elapsed().as_secs_f64() * 1e3;
    if !status.is_success() || counted != contender.limited || body.is_empty() {
        return Err(format!("{status}, counted: {counted}: {}", String::from_utf8_lossy(&body)).into());
    }
    Ok(took)
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
