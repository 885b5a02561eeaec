//! The users of `nats/users.toml` on a real server: every cell of role × subject, and every role at its work.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use messaging::async_nats::jetstream::consumer::pull::OrderedConfig;
use messaging::rpc::{self, Service};
use messaging::{
    Broker, BrokerError, BrokerOptions, Bucket, Cache, Enqueued, EventsConsumer, Hints, Queue, WorkQueue,
    topology, users,
};
use support::{Nats, Own, SOON, eventually};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

/// A server that knows the users and nobody else, and the folder of their seeds.
async fn guarded() -> (Own<Nats>, PathBuf) {
    let folder = support::scratch_folder("nats-users");
    users::prepare(&folder).unwrap();
    let config = folder.join(users::CONF_FILE);
    let server = support::own_nats_with(|options| options.config_file = Some(config)).await;
    (server, folder)
}

async fn as_user(server: &Nats, folder: &Path, name: &str) -> Broker {
    let options = BrokerOptions::new(server.url(), "test").as_user(name, folder);
    let broker = Broker::connect(options).await.unwrap();
    assert!(broker.wait_connected(SOON).await, "{name} is not let in");
    broker
}

/// A connection on which the server's own words can be read; the client's library hides them.
struct Wire(BufReader<TcpStream>);

impl Wire {
    async fn open(server: &Nats, folder: &Path, name: &str) -> Self {
        use base64::Engine as _;
        let stream = TcpStream::connect(("127.0.0.1", server.port())).await.unwrap();
        let mut wire = Self(BufReader::new(stream));
        let greeting = wire.line().await;
        let info: serde_json::Value = serde_json::from_str(greeting.strip_prefix("INFO ").unwrap()).unwrap();
        let seed = std::fs::read_to_string(users::seed_file(folder, name)).unwrap();
        let pair = nkeys::KeyPair::from_seed(&seed).unwrap();
        let signature = pair.sign(info["nonce"].as_str().unwrap().as_bytes()).unwrap();
        let connect = serde_json::json!({
            "verbose": false, "pedantic": false, "headers": true, "no_responders": true,
            "nkey": pair.public_key(),
            "sig": base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(signature),
        });
        wire.tell(&format!("CONNECT {connect}\r\n")).await;
        assert!(wire.is_taken("").await, "{name} is not let in");
        wire
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        assert_ne!(
            self.0.read_line(&mut line).await.unwrap(),
            0,
            "the server has hung up"
        );
        line
    }

    async fn tell(&mut self, words: &str) {
        self.0.write_all(words.as_bytes()).await.unwrap();
    }

    /// Whether the server takes these words without complaint. The ping is the fence: everything before it
    /// has been judged when its answer comes.
    async fn is_taken(&mut self, words: &str) -> bool {
        self.tell(&format!("{words}PING\r\n")).await;
        let mut taken = true;
        loop {
            let line = self.line().await;
            if line.starts_with("-ERR") {
                assert!(line.contains("Permissions Violation"), "{line}");
                taken = false;
            }
            if line.starts_with("PONG") {
                return taken;
            }
        }
    }

    async fn may(&mut self, attempt: &str) -> bool {
        match attempt.split_once(' ').unwrap() {
            ("pub", subject) => self.is_taken(&format!("PUB {subject} 0\r\n\r\n")).await,
            ("sub", subject) => self.is_taken(&format!("SUB {subject} 1\r\nUNSUB 1\r\n")).await,
            _ => panic!("{attempt}"),
        }
    }
}

/// What somebody might try. What a role may of these stands in [`ALLOWED`]; all the rest is refused.
const ATTEMPTS: &[&str] = &[
    "pub events.t.product.p.stock_observed",
    "pub work.sync.t.c",
    "pub work.maintenance.sweep",
    "pub work.maintenance.purge_answers",
    "pub work.maintenance.end_contracts",
    "pub work.maintenance.purge_payloads",
    "pub dead.work.sync.t.c",
    "pub dead.other",
    "pub hints.positions",
    "pub commands.request_sync",
    "pub commands.disconnect_cabinet",
    "pub queries.due_cabinets",
    "pub worker.check_credential",
    "pub sheets.sync",
    "pub anything",
    "pub $KV.limits.k",
    "pub $KV.marketplace_cache.k",
    "pub $KV.pending_reports.k",
    "pub $KV.marketplace_limits.k",
    "pub $KV.dialogues.k",
    "pub $SRV.PING",
    "pub $SYS.REQ.SERVER.PING",
    "pub $JS.API.INFO",
    "pub $JS.API.STREAM.NAMES",
    "pub $JS.API.STREAM.INFO.EVENTS",
    "pub $JS.API.STREAM.CREATE.EVENTS",
    "pub $JS.API.STREAM.CREATE.WORK",
    "pub $JS.API.STREAM.CREATE.FOREIGN",
    "pub $JS.API.STREAM.UPDATE.EVENTS",
    "pub $JS.API.STREAM.UPDATE.WORK",
    "pub $JS.API.STREAM.PURGE.EVENTS",
    "pub $JS.API.STREAM.PURGE.WORK",
    "pub $JS.API.STREAM.MSG.DELETE.EVENTS",
    "pub $JS.API.STREAM.MSG.GET.EVENTS",
    "pub $JS.API.STREAM.MSG.GET.DEAD",
    "pub $JS.API.DIRECT.GET.EVENTS",
    "pub $JS.API.DIRECT.GET.WORK",
    "pub $JS.API.DIRECT.GET.KV_dialogues.$KV.dialogues.k",
    "pub $JS.API.DIRECT.GET.KV_limits.$KV.limits.k",
    "pub $JS.API.STREAM.SNAPSHOT.EVENTS",
    "pub $JS.API.CONSUMER.CREATE.EVENTS",
    "pub $JS.API.CONSUMER.CREATE.EVENTS.inventory",
    "pub $JS.API.CONSUMER.CREATE.EVENTS.sheets",
    "pub $JS.API.CONSUMER.CREATE.WORK.sync.work.sync.*.*",
    "pub $JS.API.CONSUMER.CREATE.WORK.mine",
    "pub $JS.API.CONSUMER.DELETE.EVENTS.inventory",
    "pub $JS.API.CONSUMER.DELETE.EVENTS.sheets",
    "pub $JS.API.CONSUMER.DELETE.WORK.sync",
    "pub $JS.API.CONSUMER.MSG.NEXT.EVENTS.inventory",
    "pub $JS.API.CONSUMER.MSG.NEXT.EVENTS.sheets",
    "pub $JS.API.CONSUMER.MSG.NEXT.WORK.sync",
    "pub $JS.ACK.EVENTS.inventory.1.1.1.1.0",
    "pub $JS.ACK.EVENTS.sheets.1.1.1.1.0",
    "pub $JS.ACK.WORK.sync.1.1.1.1.0",
    "pub $JS.ACK._.hash.WORK.sync.1.1.1.1.0.token",
    "pub _INBOX.x",
    "pub _INBOX_admin.x",
    "pub _INBOX_api.x",
    "pub _INBOX_projector.x",
    "pub _INBOX_scheduler.x",
    // Last of the publishing ones: these would take away what the others talk about.
    "pub $JS.API.STREAM.DELETE.EVENTS",
    "pub $JS.API.STREAM.DELETE.WORK",
    "pub $JS.API.STREAM.DELETE.KV_limits",
    "sub >",
    "sub *.>",
    "sub events.>",
    "sub work.>",
    "sub dead.>",
    "sub hints.positions",
    "sub commands.*",
    "sub commands.request_sync",
    "sub queries.*",
    "sub worker.*",
    "sub sheets.*",
    "sub $KV.>",
    "sub $JS.>",
    "sub $JS.API.>",
    "sub $SRV.>",
    "sub $SRV.PING",
    "sub $SYS.>",
    "sub _INBOX.>",
    "sub _INBOX_admin.>",
    "sub _INBOX_api.>",
    "sub _INBOX_gateway.>",
    "sub _INBOX_projector.>",
    "sub _INBOX_relay.>",
    "sub _INBOX_scheduler.>",
    "sub _INBOX_notifier.>",
    "sub _INBOX_sheets.>",
    "sub _INBOX_worker.>",
];

/// Written by hand and not from the table of users: it is what that table is judged by.
const ALLOWED: &[(&str, &[&str])] = &[
    (
        "relay",
        &[
            "pub events.t.product.p.stock_observed",
            "pub hints.positions",
            "pub $JS.API.STREAM.NAMES",
            "pub $JS.API.STREAM.INFO.EVENTS",
            "pub $JS.API.STREAM.CREATE.EVENTS",
            "pub $JS.API.STREAM.CREATE.WORK",
            "pub $JS.API.STREAM.DELETE.EVENTS",
            "pub $JS.API.CONSUMER.CREATE.EVENTS",
            "pub $JS.API.CONSUMER.CREATE.WORK.sync.work.sync.*.*",
            "pub $JS.API.CONSUMER.DELETE.EVENTS.inventory",
            "pub $JS.API.CONSUMER.DELETE.EVENTS.sheets",
            "pub $JS.API.CONSUMER.MSG.NEXT.EVENTS.inventory",
            "pub $JS.API.CONSUMER.MSG.NEXT.EVENTS.sheets",
            "sub hints.positions",
            "sub _INBOX_relay.>",
        ],
    ),
    (
        "projector",
        &[
            "pub hints.positions",
            "pub $JS.API.CONSUMER.CREATE.EVENTS.inventory",
            "pub $JS.API.CONSUMER.DELETE.EVENTS.inventory",
            "pub $JS.API.CONSUMER.MSG.NEXT.EVENTS.inventory",
            "pub $JS.ACK.EVENTS.inventory.1.1.1.1.0",
            "sub hints.positions",
            "sub _INBOX_projector.>",
        ],
    ),
    (
        "sheets",
        &[
            "pub hints.positions",
            "pub $JS.API.CONSUMER.CREATE.EVENTS.sheets",
            "pub $JS.API.CONSUMER.DELETE.EVENTS.sheets",
            "pub $JS.API.CONSUMER.MSG.NEXT.EVENTS.sheets",
            "pub $JS.ACK.EVENTS.sheets.1.1.1.1.0",
            "pub _INBOX_admin.x",
            "pub _INBOX_api.x",
            "sub hints.positions",
            "sub sheets.*",
            "sub $SRV.PING",
            "sub _INBOX_sheets.>",
        ],
    ),
    (
        "worker",
        &[
            "pub work.sync.t.c",
            "pub work.maintenance.sweep",
            "pub work.maintenance.purge_answers",
            "pub work.maintenance.end_contracts",
            "pub work.maintenance.purge_payloads",
            "pub dead.work.sync.t.c",
            "pub hints.positions",
            "pub $KV.marketplace_cache.k",
            "pub $KV.pending_reports.k",
            "pub $KV.marketplace_limits.k",
            "pub $JS.API.STREAM.NAMES",
            "pub $JS.API.STREAM.CREATE.WORK",
            "pub $JS.API.STREAM.PURGE.WORK",
            "pub $JS.API.DIRECT.GET.WORK",
            "pub $JS.API.CONSUMER.CREATE.WORK.sync.work.sync.*.*",
            "pub $JS.API.CONSUMER.DELETE.WORK.sync",
            "pub $JS.API.CONSUMER.MSG.NEXT.WORK.sync",
            "pub $JS.ACK.WORK.sync.1.1.1.1.0",
            "pub $JS.ACK._.hash.WORK.sync.1.1.1.1.0.token",
            "pub _INBOX_admin.x",
            "pub _INBOX_api.x",
            "sub hints.positions",
            "sub worker.*",
            "sub $SRV.PING",
            "sub _INBOX_worker.>",
        ],
    ),
    (
        "gateway",
        &[
            "pub hints.positions",
            "pub _INBOX_admin.x",
            "pub _INBOX_scheduler.x",
            "sub hints.positions",
            "sub commands.*",
            "sub commands.request_sync",
            "sub queries.*",
            "sub $SRV.PING",
            "sub _INBOX_gateway.>",
        ],
    ),
    (
        "scheduler",
        &[
            "pub work.maintenance.purge_answers",
            "pub work.maintenance.end_contracts",
            "pub work.maintenance.purge_payloads",
            "pub hints.positions",
            "pub commands.request_sync",
            "pub queries.due_cabinets",
            "sub hints.positions",
            "sub _INBOX_scheduler.>",
        ],
    ),
    (
        "notifier",
        &[
            "pub hints.positions",
            "sub hints.positions",
            "sub _INBOX_notifier.>",
        ],
    ),
    (
        "api",
        &[
            "pub hints.positions",
            "pub worker.check_credential",
            "pub sheets.sync",
            "pub $KV.limits.k",
            "pub $JS.API.STREAM.NAMES",
            "pub $JS.API.DIRECT.GET.KV_limits.$KV.limits.k",
            "sub hints.positions",
            "sub _INBOX_api.>",
        ],
    ),
];

#[tokio::test]
async fn every_role_may_do_what_is_listed_here_and_is_refused_everything_else() {
    let (server, folder) = guarded().await;
    topology::apply(&as_user(&server, &folder, users::ADMIN).await)
        .await
        .unwrap();
    let mut wrong = Vec::new();
    for (role, allowed) in ALLOWED {
        let mut wire = Wire::open(&server, &folder, role).await;
        for attempt in ATTEMPTS {
            let wanted = allowed.contains(attempt);
            if wire.may(attempt).await != wanted {
                wrong.push(format!("{role}: {attempt} should be {wanted}"));
            }
        }
        let unknown = allowed.iter().find(|attempt| !ATTEMPTS.contains(attempt));
        assert_eq!(unknown, None, "not tried");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let roles: Vec<_> = ALLOWED.iter().map(|(role, _)| *role).collect();
    for user in users::all().unwrap() {
        assert!(
            user.name == users::ADMIN || roles.contains(&user.name.as_str()),
            "nobody has said what `{}` may do",
            user.name
        );
    }
}

#[tokio::test]
async fn nobody_is_let_in_without_a_key_or_with_one_that_is_not_known() {
    let (server, folder) = guarded().await;
    let stranger = support::scratch_folder("stranger");
    users::prepare(&stranger).unwrap();
    let refused = Broker::connect(BrokerOptions::new(server.url(), "test").as_user("relay", &stranger)).await;
    assert!(matches!(refused, Err(BrokerError::Refused(_))), "{refused:?}");
    let anonymous = messaging::async_nats::connect(server.url()).await;
    assert!(anonymous.is_err(), "a nobody is let in");
    let missing = Broker::connect(BrokerOptions::new(server.url(), "test").as_user("bot", &folder)).await;
    let error = missing.unwrap_err();
    assert!(matches!(error, BrokerError::User(_)), "{error}");
}

#[tokio::test]
async fn seeds_are_kept_and_only_their_owner_reads_them() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = support::scratch_folder("seeds");
    let made = users::prepare(&folder).unwrap();
    assert_eq!(made.len(), users::all().unwrap().len());
    let seed = || std::fs::read_to_string(users::seed_file(&folder, "api")).unwrap();
    let first = seed();
    assert!(users::prepare(&folder).unwrap().is_empty());
    assert_eq!(seed(), first);
    for user in users::all().unwrap() {
        let mode = std::fs::metadata(users::seed_file(&folder, &user.name)).unwrap();
        assert_eq!(mode.permissions().mode() & 0o777, 0o600, "{}", user.name);
    }
    let conf = std::fs::read_to_string(folder.join(users::CONF_FILE)).unwrap();
    assert!(!conf.contains(&first), "the server is given public keys only");
}

#[tokio::test]
async fn a_replaced_seed_is_used_without_a_restart_of_the_role() {
    let (server, folder) = guarded().await;
    let broker = as_user(&server, &folder, "scheduler").await;
    let before = broker.connected().borrow().epoch;
    std::fs::remove_file(users::seed_file(&folder, "scheduler")).unwrap();
    assert_eq!(users::prepare(&folder).unwrap(), ["scheduler"]);
    server.stop().await.unwrap();
    server.start_again().await.unwrap();
    eventually("the role is let in with its new key", SOON, || async {
        let now = *broker.connected().borrow();
        if now.up && now.epoch > before {
            Ok(())
        } else {
            Err(format!("{now:?}"))
        }
    })
    .await;
}

#[tokio::test]
async fn events_reach_their_readers_and_hints_everybody() {
    let (server, folder) = guarded().await;
    topology::apply(&as_user(&server, &folder, users::ADMIN).await)
        .await
        .unwrap();
    let relay = as_user(&server, &folder, "relay").await;
    let mut heard = Hints::new(&as_user(&server, &folder, "api").await)
        .subscribe()
        .await
        .unwrap();
    crate::consume::publish(&relay, 1..=3).await;
    let stream = relay.jetstream().get_stream(topology::EVENTS).await.unwrap();
    let looked = stream.create_consumer(OrderedConfig::default()).await.unwrap();
    let mut looked = looked.messages().await.unwrap();
    for _ in 1..=3 {
        looked.next().await.unwrap().unwrap();
    }
    for (role, name) in [
        ("projector", "inventory"),
        ("projector", "operations"),
        ("sheets", "sheets"),
    ] {
        let broker = as_user(&server, &folder, role).await;
        let mut consumer = EventsConsumer::open(&broker, name, 0);
        let mut got = Vec::new();
        while got.len() < 3 {
            got.extend(consumer.next_batch(10, SOON).await.unwrap());
        }
        consumer.ack_all().await.unwrap();
    }
    eventually("a hint arrives", SOON, || async {
        Hints::new(&relay).publish(3).await.unwrap();
        Ok(())
    })
    .await;
    assert_eq!(heard.next().await, Some(3));
}

#[tokio::test]
async fn a_worker_does_its_jobs_and_brings_its_queue_back() {
    let (server, folder) = guarded().await;
    let admin = as_user(&server, &folder, users::ADMIN).await;
    topology::apply(&admin).await.unwrap();
    let worker = as_user(&server, &folder, "worker").await;
    let queue = WorkQueue::new(&worker);
    for round in ["before", "after"] {
        let published = queue.publish("work.sync.t.c", Bytes::new(), round).await.unwrap();
        assert_eq!(published, Enqueued::Published);
        let job = queue.consumer(Queue::Sync).next(SOON).await.unwrap().unwrap();
        job.in_progress().await.unwrap();
        job.ack().await.unwrap();
        queue
            .publish("work.default.poison", Bytes::new(), &format!("poison {round}"))
            .await
            .unwrap();
        let poison = queue.consumer(Queue::Default).next(SOON).await.unwrap().unwrap();
        poison.dead("no use").await.unwrap();
        if round == "before" {
            admin.jetstream().delete_stream(topology::WORK).await.unwrap();
        }
    }
    let cache = Cache::new(&worker);
    cache.put("k", Bytes::from_static(b"v")).await.unwrap();
    assert_eq!(cache.get("k").await.unwrap().unwrap(), "v");
    let limits = Bucket::limits(&as_user(&server, &folder, "api").await);
    assert!(limits.put_if("k", Bytes::new(), None).await.unwrap().is_some());
    assert!(limits.get("k").await.unwrap().is_some());
}

#[tokio::test]
async fn requests_are_answered_into_the_inbox_of_the_asker() {
    let (server, folder) = guarded().await;
    let admin = as_user(&server, &folder, users::ADMIN).await;
    let pairs = [
        ("gateway", "commands", "request_sync", "scheduler"),
        ("gateway", "queries", "due_cabinets", "scheduler"),
        ("worker", "worker", "check_credential", "api"),
        ("sheets", "sheets", "test", "api"),
        ("sheets", "sheets", "sync", "api"),
    ];
    for (server_role, service, name, asker) in pairs {
        let broker = as_user(&server, &folder, server_role).await;
        let service_of =
            Service::new(service, "1.0.0").on(name, |request| async move { Ok(request.payload) });
        let _serving = rpc::serve(&broker, service_of).await.unwrap();
        let asking = as_user(&server, &folder, asker).await;
        let subject = format!("{service}.{name}");
        let answer = eventually("an answer", SOON, || async {
            rpc::request(
                &asking,
                &subject,
                Bytes::from_static(b"?"),
                Duration::from_secs(5),
            )
            .await
            .map_err(|error| format!("{subject}: {error}"))
        })
        .await;
        assert_eq!(answer, "?");
        let listing = format!("$SRV.PING.{service}");
        let listed = admin.client().request(listing, Bytes::new()).await.unwrap();
        assert!(String::from_utf8_lossy(&listed.payload).contains(service));
    }
}
