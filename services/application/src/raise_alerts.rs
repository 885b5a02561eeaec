//! What runs out becomes events: many products at once, in chunks, through the one combiner. The policy knows
//! the state of every alert stream, because it alone writes them; so nothing is loaded, and what was appended
//! before is recognised by its command. Where a stream is not as the policy expects (another version of the
//! program has judged the same log), what the log says counts.

use domain::Decider as _;
use domain::alert::{Alert, AlertCommand};
use event_store::{Append, AppendError, ReadError, StreamId};
use events::catalog::AlertEvent;
use events::ids::{CommandId, ProductId};
use events::{Decoded, Event, StreamType};
use uuid::Uuid;

use crate::execute::number;
use crate::{App, Context};

/// Products in one chunk: what one append batch holds.
const CHUNK: usize = 500;
/// How often a product is decided again after a conflict.
const ROUNDS: u32 = 8;

/// Why alerts could not be raised. Raising the same again adds nothing to what was raised before.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A stream could not be read.
    #[error("the alerts of a product could not be read")]
    Read(#[from] ReadError),
    /// The events could not be appended.
    #[error("alerts could not be appended")]
    Append(#[source] AppendError),
    /// Somebody else keeps writing the same stream.
    #[error("the alerts of product {product_id} keep changing")]
    Contention {
        /// Which.
        product_id: ProductId,
    },
}

/// What is raised of one product after one event.
#[derive(Debug, Clone, PartialEq)]
pub struct Raise {
    /// Which product.
    pub product_id: ProductId,
    /// Position of the event after which it was judged.
    pub position: i64,
    /// Events that its alert stream has, as far as is known.
    pub expected: i64,
    /// What its alerts are asked.
    pub commands: Vec<AlertCommand>,
    /// What they answer.
    pub events: Vec<AlertEvent>,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq)]
pub enum Raised {
    /// It is in the log, as expected; `new` unless it was there before.
    Known {
        /// Whether it was written now.
        new: bool,
    },
    /// The log has something else; this is the state that counts at this position.
    Other {
        /// The alerts.
        alert: Alert,
        /// Events in the stream that led to them.
        version: i64,
    },
}

impl Raise {
    /// The circumstances: the command follows from product and position, so that judging the same event again
    /// repeats it. `trigger` are those of the event itself.
    fn context(&self, trigger: &Context) -> Context {
        let name = self.position.to_string();
        Context {
            command_id: CommandId::derived(self.product_id.uuid(), &name),
            ..trigger.clone()
        }
    }
}

/// Raises alerts, each with the circumstances of the event after which it was judged. Answers in the order
/// given; a product may occur once.
///
/// # Errors
/// [`Error`].
pub async fn execute(app: &App, raises: &[(Context, Raise)]) -> Result<Vec<Raised>, Error> {
    let mut all = Vec::with_capacity(raises.len());
    for chunk in raises.chunks(CHUNK) {
        let appends = chunk.iter().map(|(trigger, raise)| {
            append_of(
                &raise.context(trigger),
                raise,
                raise.expected,
                raise.events.clone(),
            )
        });
        let answers = app.store.append_many(appends.collect()).await;
        for ((trigger, raise), answer) in chunk.iter().zip(answers) {
            let reached = raise.expected + i64::try_from(raise.events.len()).unwrap_or(0);
            all.push(match answer {
                Ok(appended) if appended.version == reached => Raised::Known {
                    new: !appended.duplicate,
                },
                Ok(_) | Err(AppendError::Conflict { .. }) => again(app, trigger, raise).await?,
                Err(error) => return Err(Error::Append(error)),
            });
        }
    }
    Ok(all)
}

fn append_of(context: &Context, raise: &Raise, expected: i64, events: Vec<AlertEvent>) -> Append {
    Append {
        stream: StreamId {
            stream: StreamType::Alert,
            id: raise.product_id.uuid(),
        },
        expected,
        metadata: context.metadata(),
        events: number(context, events.into_iter().map(Event::from).collect()),
        result: None,
    }
}

/// Decides again on what the log has. Nothing is added where it goes on behind this position: what was judged
/// then stays as it was told.
async fn again(app: &App, trigger: &Context, raise: &Raise) -> Result<Raised, Error> {
    for round in 1..=ROUNDS {
        let Past {
            alert,
            version,
            goes_on,
        } = past(app, trigger, raise).await?;
        let (mut after, mut events) = (alert.clone(), Vec::new());
        for command in &raise.commands {
            let Ok(happened) = after.decide(command.clone());
            happened.iter().for_each(|event| after.evolve(event));
            events.extend(happened);
        }
        if goes_on || events.is_empty() {
            return Ok(Raised::Other { alert, version });
        }
        let count = i64::try_from(events.len()).unwrap_or(0);
        let context = raise.context(trigger).part(&format!("round {round}"));
        match app
            .store
            .append(append_of(&context, raise, version, events))
            .await
        {
            Ok(appended) if appended.version == version + count => {
                return Ok(Raised::Other {
                    alert: after,
                    version: appended.version,
                });
            }
            Ok(_) | Err(AppendError::Conflict { .. }) => {}
            Err(error) => return Err(Error::Append(error)),
        }
    }
    Err(Error::Contention {
        product_id: raise.product_id,
    })
}

/// A stream up to a position.
struct Past {
    alert: Alert,
    version: i64,
    /// Whether there are events that were caused at this position or after it.
    goes_on: bool,
}

async fn past(app: &App, trigger: &Context, raise: &Raise) -> Result<Past, Error> {
    let id: Uuid = raise.product_id.uuid();
    let stream = StreamId {
        stream: StreamType::Alert,
        id,
    };
    let mut past = Past {
        alert: Alert::default(),
        version: 0,
        goes_on: false,
    };
    for event in app.store.read_stream(trigger.tenant_id, stream, 0).await? {
        // What cannot be read concerns no place that this program knows.
        let Ok(Decoded::Known(Event::Alert(fact))) = event.decode() else {
            past.version = event.version;
            continue;
        };
        if fact.caused_at() > raise.position {
            past.goes_on = true;
            break;
        }
        // Judged at this very position, by another version of the program.
        past.goes_on |= fact.caused_at() == raise.position;
        past.alert.evolve(&fact);
        past.version = event.version;
    }
    Ok(past)
}
