//! Who may do what at the broker, read from `nats/users.toml`: one user per role, with the subjects that its
//! work needs and an inbox that only it can read. The server is given public keys; each process holds the
//! seed of its own user and no other. Names of streams, consumers and buckets are checked against
//! `nats/streams.toml`, so that neither table can outrun the other.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use nkeys::KeyPair;
use serde::Deserialize;

use crate::topology::{self, EVENTS, WORK};

const DECLARED: &str = include_str!("../../../nats/users.toml");

/// Name of the server's configuration in a folder of keys.
pub const CONF_FILE: &str = "users.conf";

/// The user of tools; no role runs with it.
pub const ADMIN: &str = "admin";

/// The table cannot be used, or keys cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum UsersError {
    /// The table itself is broken.
    #[error("nats/users.toml cannot be read")]
    Declaration(#[source] toml::de::Error),
    /// The streams' table is broken.
    #[error(transparent)]
    Topology(#[from] topology::TopologyError),
    /// The table names something that is not declared.
    #[error("the user `{user}` may use `{name}`, which nats/streams.toml does not declare")]
    Undeclared {
        /// Whose line.
        user: String,
        /// Stream, consumer or bucket.
        name: String,
    },
    /// The user's requests would reach nobody.
    #[error("the user `{user}` asks `{subject}`, which nobody serves")]
    Unserved {
        /// Who asks.
        user: String,
        /// What.
        subject: String,
    },
    /// A file of keys cannot be read or written.
    #[error("{}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A seed is no seed of a user.
    #[error("{} holds no seed of a user", path.display())]
    Seed {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: nkeys::error::Error,
    },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Declared {
    user: Vec<DeclaredUser>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct DeclaredUser {
    name: String,
    publish: Vec<String>,
    subscribe: Vec<String>,
    asks: Vec<String>,
    serves: Vec<String>,
    makes: Vec<String>,
    replaces: Vec<String>,
    purges: Vec<String>,
    browses: Vec<String>,
    follows: Vec<String>,
    works: Vec<String>,
    buckets: Vec<String>,
}

/// One user with its permissions, as the server understands them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The role, or [`ADMIN`].
    pub name: String,
    /// Subjects it may publish to, sorted.
    pub publish: BTreeSet<String>,
    /// Subjects it may subscribe to, sorted.
    pub subscribe: BTreeSet<String>,
}

/// Beginning of the subjects on which a user hears answers.
#[must_use]
pub fn inbox_prefix(name: &str) -> String {
    format!("_INBOX_{name}")
}

/// Every user that is declared.
///
/// # Errors
/// [`UsersError`] when the table is broken, or names what is not declared.
pub fn all() -> Result<Vec<User>, UsersError> {
    let declared: Declared = toml::from_str(DECLARED).map_err(UsersError::Declaration)?;
    let names = topology::names()?;
    declared
        .user
        .iter()
        .map(|user| {
            check(user, &names, &declared)?;
            Ok(permissions(user, &names, &declared))
        })
        .collect()
}

/// The server's `authorization` block. `key` tells what stands for a user's public key.
///
/// # Errors
/// As [`all`].
pub fn conf(key: impl Fn(&str) -> String) -> Result<String, UsersError> {
    let mut text = String::from(
        "# Made from nats/users.toml by `stock-tracker nats users`; do not edit. Who has no key is refused.\n\
         authorization {\n  users: [\n",
    );
    for user in all()? {
        let (name, key) = (&user.name, key(&user.name));
        text.push_str(&format!("    # {name}\n    {{ nkey: {key}, permissions: {{\n"));
        for (verb, subjects) in [("publish", &user.publish), ("subscribe", &user.subscribe)] {
            text.push_str(&format!("      {verb}: {{ allow: [\n"));
            for subject in subjects {
                text.push_str(&format!("        \"{subject}\"\n"));
            }
            text.push_str("      ] }\n");
        }
        text.push_str("    } }\n");
    }
    text.push_str("  ]\n}\n");
    Ok(text)
}

/// Makes the seeds that a folder lacks, one file `<user>.nk` each, readable by its owner only, and writes the
/// server's [`CONF_FILE`] with their public keys. Seeds that are there stay; removing one and calling this
/// again replaces it. Returns the names of the users whose seeds were made.
///
/// # Errors
/// [`UsersError`] naming the file.
pub fn prepare(folder: &Path) -> Result<Vec<String>, UsersError> {
    let failed = |path: &Path, source| UsersError::File {
        path: path.to_path_buf(),
        source,
    };
    std::fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
    let mut made = Vec::new();
    let mut keys = BTreeMap::new();
    for user in all()? {
        let path = seed_file(folder, &user.name);
        if !path.exists() {
            let seed = KeyPair::new_user().seed();
            let seed = seed.map_err(|source| UsersError::Seed {
                path: path.clone(),
                source,
            })?;
            write_new(&path, &seed).map_err(|error| failed(&path, error))?;
            made.push(user.name.clone());
        }
        keys.insert(user.name, read_seed(&path)?.public_key());
    }
    let text = conf(|name| keys.get(name).cloned().unwrap_or_default())?;
    // Written beside and renamed: a server that is told to reload never reads half a file.
    let (path, beside) = (folder.join(CONF_FILE), folder.join("users.conf.new"));
    std::fs::write(&beside, text).map_err(|error| failed(&beside, error))?;
    std::fs::rename(&beside, &path).map_err(|error| failed(&path, error))?;
    Ok(made)
}

/// Where the seed of a user lies in a folder of keys.
#[must_use]
pub fn seed_file(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.nk"))
}

/// The key pair in a seed file.
pub(crate) fn read_seed(path: &Path) -> Result<KeyPair, UsersError> {
    let text = std::fs::read_to_string(path).map_err(|source| UsersError::File {
        path: path.to_path_buf(),
        source,
    })?;
    KeyPair::from_seed(text.trim()).map_err(|source| UsersError::Seed {
        path: path.to_path_buf(),
        source,
    })
}

fn write_new(path: &Path, seed: &str) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(seed.as_bytes())?;
    file.sync_all()
}

fn check(user: &DeclaredUser, names: &topology::Names, all: &Declared) -> Result<(), UsersError> {
    let undeclared = |name: &str| UsersError::Undeclared {
        user: user.name.clone(),
        name: name.to_owned(),
    };
    let streams = user.makes.iter().chain(&user.replaces).chain(&user.purges);
    for stream in streams.chain(&user.browses) {
        if !names.streams.contains(stream) {
            return Err(undeclared(stream));
        }
    }
    for consumer in &user.works {
        if !names.consumers.iter().any(|known| known.durable == *consumer) {
            return Err(undeclared(consumer));
        }
    }
    for bucket in &user.buckets {
        if !names.streams.contains(&format!("KV_{bucket}")) {
            return Err(undeclared(bucket));
        }
    }
    for subject in &user.asks {
        if !all.user.iter().any(|other| serves(other, subject)) {
            return Err(UsersError::Unserved {
                user: user.name.clone(),
                subject: subject.clone(),
            });
        }
    }
    Ok(())
}

fn serves(user: &DeclaredUser, subject: &str) -> bool {
    let service = subject.split('.').next().unwrap_or_default();
    user.serves.iter().any(|served| served == service)
}

fn permissions(user: &DeclaredUser, names: &topology::Names, all: &Declared) -> User {
    let mut publish: BTreeSet<String> = user.publish.iter().chain(&user.asks).cloned().collect();
    let mut subscribe: BTreeSet<String> = user.subscribe.iter().cloned().collect();
    subscribe.insert(format!("{}.>", inbox_prefix(&user.name)));
    for service in &user.serves {
        subscribe.insert(format!("{service}.*"));
        // Each verb by its name: the server takes a subscription to `$SRV.>` for one of `$SRV.*`.
        for verb in ["PING", "INFO", "STATS"] {
            for asked in ["", &format!(".{service}"), &format!(".{service}.*")] {
                subscribe.insert(format!("$SRV.{verb}{asked}"));
            }
        }
        // Tools list the services.
        publish.insert(format!("{}.>", inbox_prefix(ADMIN)));
    }
    let askers = all
        .user
        .iter()
        .filter(|other| other.asks.iter().any(|subject| serves(user, subject)));
    publish.extend(askers.map(|other| format!("{}.>", inbox_prefix(&other.name))));
    if !user.makes.is_empty() {
        // To tell a stream whose holder is down from one that is not there.
        publish.insert("$JS.API.STREAM.NAMES".to_owned());
    }
    for stream in &user.makes {
        publish.insert(format!("$JS.API.STREAM.INFO.{stream}"));
        publish.insert(format!("$JS.API.STREAM.CREATE.{stream}"));
        for consumer in names.consumers.iter().filter(|known| known.stream == *stream) {
            let durable = &consumer.durable;
            publish.insert(format!("$JS.API.CONSUMER.INFO.{stream}.{durable}"));
            publish.insert(format!(
                "$JS.API.CONSUMER.CREATE.{stream}.{durable}.{}",
                consumer.filter
            ));
        }
    }
    for stream in &user.replaces {
        publish.insert(format!("$JS.API.STREAM.DELETE.{stream}"));
    }
    for stream in &user.purges {
        publish.insert(format!("$JS.API.STREAM.PURGE.{stream}"));
    }
    for stream in &user.browses {
        publish.insert(format!("$JS.API.STREAM.INFO.{stream}"));
        // The server names consumers that are made for one reading.
        publish.insert(format!("$JS.API.CONSUMER.CREATE.{stream}"));
        for verb in ["INFO", "DELETE", "MSG.NEXT"] {
            publish.insert(format!("$JS.API.CONSUMER.{verb}.{stream}.*"));
        }
    }
    for durable in &user.follows {
        publish.extend(own_consumer(EVENTS, durable));
        publish.extend(acknowledgements(EVENTS, durable));
    }
    for durable in &user.works {
        publish.insert(format!("$JS.API.CONSUMER.INFO.{WORK}.{durable}"));
        publish.insert(format!("$JS.API.CONSUMER.MSG.NEXT.{WORK}.{durable}"));
        // To make a consumer anew that has lost its place, and to see the job that it has left behind.
        publish.insert(format!("$JS.API.CONSUMER.DELETE.{WORK}.{durable}"));
        publish.insert(format!("$JS.API.DIRECT.GET.{WORK}"));
        publish.extend(acknowledgements(WORK, durable));
    }
    for bucket in &user.buckets {
        publish.insert(format!("$JS.API.STREAM.INFO.KV_{bucket}"));
        publish.insert(format!("$JS.API.DIRECT.GET.KV_{bucket}.$KV.{bucket}.>"));
        publish.insert(format!("$KV.{bucket}.>"));
    }
    User {
        name: user.name.clone(),
        publish,
        subscribe,
    }
}

/// What it takes to make, read and remove a consumer of one's own. The form without a filter: a filter would
/// be a further token.
fn own_consumer(stream: &str, name: &str) -> [String; 4] {
    ["CREATE", "INFO", "DELETE", "MSG.NEXT"].map(|verb| format!("$JS.API.CONSUMER.{verb}.{stream}.{name}"))
}

/// Newer servers may use the second form, with domain and account before the stream (nats-server 2.14).
fn acknowledgements(stream: &str, consumer: &str) -> [String; 2] {
    [
        format!("$JS.ACK.{stream}.{consumer}.>"),
        format!("$JS.ACK.*.*.{stream}.{consumer}.>"),
    ]
}

#[cfg(test)]
mod tests {
    use super::{Declared, DeclaredUser, UsersError, check, conf};
    use crate::topology;

    #[test]
    fn the_servers_configuration_is_up_to_date_with_the_table() {
        let shown = conf(|name| format!("$NKEY_{}", name.to_uppercase())).unwrap();
        support::golden("../../nats/users.conf", &shown);
    }

    #[test]
    fn a_name_that_no_other_table_knows_is_refused() {
        let names = topology::names().unwrap();
        let with = |change: fn(&mut DeclaredUser)| {
            let mut user = DeclaredUser {
                name: "somebody".to_owned(),
                ..DeclaredUser::default()
            };
            change(&mut user);
            check(&user, &names, &Declared { user: vec![] }).unwrap_err()
        };
        let lines: [fn(&mut DeclaredUser); 5] = [
            |user| user.makes.push("EVENT".to_owned()),
            |user| user.replaces.push("EVENT".to_owned()),
            |user| user.browses.push("EVENT".to_owned()),
            |user| user.works.push("sink".to_owned()),
            |user| user.buckets.push("limit".to_owned()),
        ];
        for line in lines {
            let error = with(line);
            assert!(matches!(error, UsersError::Undeclared { .. }), "{error}");
        }
        let error = with(|user| user.asks.push("commands.x".to_owned()));
        assert!(matches!(error, UsersError::Unserved { .. }), "{error}");
    }
}
