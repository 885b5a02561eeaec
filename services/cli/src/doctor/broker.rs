//! NATS: whether it answers, is new enough, has JetStream with what is declared and room in it, and lets
//! every role in.

use std::error::Error;
use std::time::Duration;

use messaging::{Broker, BrokerError, ConditionError, TopologyError, condition, topology, users};
use runtime::Settings;

use super::{Finding, chain};
use crate::{Failure, assembly};

const CHECK: &str = "broker";
/// How long the server may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Users of running processes.
const ROLES: [&str; 8] = [
    "api",
    "gateway",
    "relay",
    "projector",
    "worker",
    "sheets",
    "scheduler",
    "notifier",
];

/// One finding about the broker; one for each role's seed where it answers.
pub(super) async fn check(settings: &Settings) -> Vec<Finding> {
    let broker = match linked(settings, users::ADMIN).await {
        Ok(broker) => broker,
        Err(finding) => return vec![finding],
    };
    let mut findings = vec![check_jetstream(&broker, settings).await];
    // Seeds are the same for all: without a folder every role is whoever the address says.
    if let Some(folder) = &settings.broker.seed_dir {
        for role in ROLES {
            findings.push(check_user(settings, role, folder).await);
        }
    }
    findings
}

async fn linked(settings: &Settings, user: &str) -> Result<Broker, Finding> {
    let broker = assembly::link(settings, user)
        .await
        .map_err(|error| refused(&error))?;
    if broker.wait_connected(PATIENCE).await {
        return Ok(broker);
    }
    Err(Finding::failure(
        CHECK,
        "NATS does not answer at the configured address",
        "start nats-server there, or correct NATS_URL",
    ))
}

/// Why there is no link.
fn refused(error: &Failure) -> Finding {
    let error: &(dyn Error + 'static) = error.as_ref();
    let said = chain(error);
    let remedy = match error.downcast_ref::<BrokerError>() {
        Some(BrokerError::Unsuitable(_)) => "update nats-server",
        Some(BrokerError::User(_)) => {
            "run `stock-tracker nats users <folder>` and set ST_NATS_SEED_DIR to that folder"
        }
        Some(BrokerError::Authorities(_)) => "correct ST_NATS_CA_FILE",
        Some(BrokerError::Refused(_)) if said.contains("ertificate") || said.contains("TLS") => {
            "correct ST_NATS_CA_FILE, or the server's certificate"
        }
        Some(BrokerError::Refused(_)) => {
            "let nats-server include `users.conf` of `stock-tracker nats users`, and reload it; or correct NATS_URL"
        }
        _ => "correct NATS_URL",
    };
    Finding::failure(CHECK, said, remedy)
}

async fn check_jetstream(broker: &Broker, settings: &Settings) -> Finding {
    // Again: what answers now may be another server than the one that was tried first.
    let sound = match condition::new_enough(&broker.server_version()) {
        Ok(()) => condition::has_jetstream(broker).await,
        Err(too_old) => Err(too_old),
    };
    if let Err(error) = sound {
        return unsound(&error);
    }
    if let Err(error) = topology::verify(broker).await {
        return different(&error, settings);
    }
    match condition::takes_messages(broker).await {
        Ok(()) => Finding::ok(
            CHECK,
            format!(
                "nats-server {}; streams, consumers and buckets are as declared",
                broker.server_version()
            ),
        ),
        Err(error) => unsound(&error),
    }
}

fn unsound(error: &ConditionError) -> Finding {
    let remedy = match error {
        ConditionError::TooOld { .. } => "update nats-server",
        ConditionError::NoJetStream => "start nats-server with a `jetstream` block, as in nats/server.conf",
        ConditionError::Full(_) => "raise max_file_store in the server's configuration, or free its disk",
        ConditionError::Missing => "run `stock-tracker nats apply`",
        ConditionError::Unavailable(_) => "see the log of nats-server; restart it where its disk has failed",
    };
    Finding::failure(CHECK, chain(error), remedy)
}

fn different(error: &TopologyError, settings: &Settings) -> Finding {
    let remedy = match error {
        TopologyError::Missing { .. } => "run `stock-tracker nats apply`".to_owned(),
        TopologyError::Drift {
            field: "replicas",
            found,
            ..
        } => match settings.broker.replicas {
            Some(_) => "run `stock-tracker nats apply`".to_owned(),
            None => format!("set ST_NATS_REPLICAS={found}, or run `stock-tracker nats apply`"),
        },
        TopologyError::Drift { name, .. } => format!(
            "change it back, or remove it with `nats stream rm {}` and run `stock-tracker nats apply`",
            name.split('/').next().unwrap_or(name)
        ),
        TopologyError::Offline { .. } => "start the server that holds it; see ST_NATS_REPLICAS".to_owned(),
        TopologyError::Broker { .. } | TopologyError::Declaration(_) => {
            "see the log of nats-server".to_owned()
        }
    };
    Finding::failure(CHECK, chain(error), remedy)
}

async fn check_user(settings: &Settings, role: &str, folder: &std::path::Path) -> Finding {
    let check = format!("broker user {role}");
    let seed = users::seed_file(folder, role);
    if !seed.exists() {
        let found = format!("{} is not here", seed.display());
        let remedy = "right where the role runs elsewhere; else run `stock-tracker nats users`";
        return Finding::warning(check, found, remedy);
    }
    match linked(settings, role).await {
        Ok(_) => Finding::ok(check, "is let in"),
        Err(finding) => Finding { check, ..finding },
    }
}
