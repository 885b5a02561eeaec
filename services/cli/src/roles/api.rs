//! The role `api`.

use std::sync::Arc;

use api::{ApiState, Google};
use auth::{AccessTokens, IdempotencyKeys, Sessions};
use database::Role;

use crate::Failure;
use crate::assembly::Assembly;
use crate::errands::Errands;

/// Binds and answers. In a process that also projects, positions are known without asking the database.
pub(crate) fn start(assembly: &Assembly, positions: Option<read_models::Positions>) -> Result<(), Failure> {
    let pool = assembly.pool(Role::Api)?;
    let (options, accounts, hosts) = assembly.google();
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
        },
        clock: assembly.clock.clone(),
        ids: assembly.ids.clone(),
        health: assembly.health.clone(),
        metrics: assembly.metrics.clone(),
        stopping: assembly.lifecycle.soft(),
    };
    check_database(assembly, pool);
    let bound = api::build(state, assembly.settings.http.address)?;
    tracing::info!(address = %bound.address(), "API listens");
    assembly.lifecycle.spawn("api", bound.run());
    Ok(())
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
