//! The role `api`.

use std::sync::Arc;
use std::time::Duration;

use api::{ApiState, Google, ServerOptions, Streams, Times, Webhook};
use auth::{AccessTokens, IdempotencyKeys, Sessions};
use billing::{Inbox, Usage};
use database::Role;
use limits::{Decision, Limiter};
use messaging::Bucket;

use crate::Failure;
use crate::assembly::Assembly;
use crate::errands::Errands;

/// How often slices of limits that were not used are given back.
const TIDY_EVERY: Duration = Duration::from_secs(1);
/// How often calls of a month's quota that were not used are given back.
const SETTLE_EVERY: Duration = Duration::from_secs(5);

/// Binds and answers. In a process that also projects, positions are known without asking the database.
pub(crate) fn start(assembly: &Assembly, positions: Option<read_models::Positions>) -> Result<(), Failure> {
    let pool = assembly.pool(Role::Api)?;
    let (options, accounts, hosts) = crate::assembly::google(&assembly.settings, &pool);
    let state = ApiState {
        app: assembly.app(pool.clone())?,
        reads: pool.clone(),
        sessions: Sessions::new(pool.clone()),
        answers: IdempotencyKeys::new(pool.clone()),
        tokens: AccessTokens::from_pem(assembly.settings.secret_keys.required_jwt_key()?)?,
        positions: positions.unwrap_or_default(),
        errands: Arc::new(Errands {
            broker: assembly.broker.clone(),
            ids: assembly.ids.clone(),
            pool: pool.clone(),
        }),
        google: Google {
            http: assembly.http()?,
            options,
            accounts,
            hosts,
            own_key: assembly.settings.google.service_account.clone(),
            shared_drive: assembly.settings.google.shared_drive.clone(),
        },
        webhook: webhook(assembly, &pool),
        clock: assembly.clock.clone(),
        ids: assembly.ids.clone(),
        health: assembly.health.clone(),
        metrics: assembly.metrics.clone(),
        streams: Streams::new(assembly.limits()?.streams),
        stopping: assembly.lifecycle.soft(),
    };
    check_database(assembly, pool);
    let http = &assembly.settings.http;
    let salt = state.tokens.derived_key("request limits v1");
    let options = ServerOptions {
        certificate: http.certificate.clone(),
        limiter: Some(limiter(assembly, salt.to_vec())?),
        proxies: http.proxies.clone(),
        origins: http.origins.clone(),
        connections: http.connections,
        times: Times {
            head: http.head_time,
            body: http.body_time,
            idle: http.idle_time,
        },
        ..ServerOptions::new(http.address)
    };
    settle_usage(assembly, state.app.usage.clone());
    let bound = api::build_with(state, options)?;
    tracing::info!(address = %bound.address(), "API listens");
    assembly.lifecycle.spawn("api", bound.run());
    Ok(())
}

/// Gives back what was taken of months' quotas and not used, now and then and at the end.
fn settle_usage(assembly: &Assembly, usage: Usage) {
    let stop = assembly.lifecycle.soft();
    assembly.lifecycle.spawn("usage", async move {
        let mut tick = tokio::time::interval(SETTLE_EVERY);
        let mut ends = false;
        while !ends {
            tokio::select! {
                () = stop.cancelled() => ends = true,
                _ = tick.tick() => {}
            }
            if let Err(error) = usage.settle(ends).await {
                tracing::debug!(error = ?error, "unused calls were not given back");
            }
        }
        Ok::<(), Failure>(())
    });
}

/// Stripe's deliveries, where something is sold by card.
fn webhook(assembly: &Assembly, pool: &database::Pool) -> Option<Webhook> {
    let stripe = &assembly.settings.stripe;
    stripe.account.as_ref().map(|_account| Webhook {
        inbox: Inbox::new(pool.clone()),
        secrets: stripe.webhook_secrets.clone(),
        tolerance: stripe.webhook_tolerance,
    })
}

/// Counts requests together with the other replicas, and tidies its counts up until the end.
fn limiter(assembly: &Assembly, salt: Vec<u8>) -> Result<Arc<Limiter>, Failure> {
    let table = assembly.limits()?;
    let metrics = assembly.metrics.clone();
    let counted = Arc::new(move |decision: &Decision| {
        let outcome = match (decision.admitted, decision.alone) {
            (true, false) => "admitted",
            (false, false) => "refused",
            (true, true) => "admitted_alone",
            (false, true) => "refused_alone",
        };
        metrics.http_limit(decision.kind, outcome);
    });
    let bucket = Arc::new(Bucket::limits(&assembly.broker));
    let limiter = Arc::new(Limiter::new(bucket, table, salt, counted));
    let (tidied, clock, stop) = (limiter.clone(), assembly.clock.clone(), assembly.lifecycle.soft());
    assembly.lifecycle.spawn("limits", async move {
        let mut tick = tokio::time::interval(TIDY_EVERY);
        while !stop.is_cancelled() {
            tokio::select! {
                () = stop.cancelled() => {}
                _ = tick.tick() => {
                    let now = u64::try_from(clock.now().timestamp_millis()).unwrap_or(0);
                    tidied.tidy(now).await;
                }
            }
        }
        Ok::<(), Failure>(())
    });
    Ok(limiter)
}

/// Ready means: the database answers and the broker's link stands.
fn check_database(assembly: &Assembly, pool: database::Pool) {
    assembly.health.register("database", move || {
        let pool = pool.clone();
        async move {
            let session = pool.get().await.map_err(|error| error.to_string())?;
            session
                .simple_query("SELECT 1")
                .await
                .map(drop)
                .map_err(|error| error.to_string())
        }
    });
    let link = assembly.broker.connected();
    assembly.health.register("broker", move || {
        let up = link.borrow().up;
        async move {
            if up {
                Ok(())
            } else {
                Err("not connected".to_owned())
            }
        }
    });
}
