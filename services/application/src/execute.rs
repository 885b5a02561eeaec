//! The one loop behind every command: load, ask the aggregate, append, and on a conflict once more from the
//! start.

use cqrs_es::Aggregate;
use cqrs_es::event_sink::EventSink;
use domain::{Decider, Fact};
use event_store::{Append, AppendError, Appended, Loaded, ReadError, StreamId};
use events::ids::EventId;
use events::{Event, NewEvent};
use uuid::Uuid;

use crate::{App, Context, Folded, Receipt};

/// How often a command is decided again after a conflict before its caller is told. With every round somebody
/// else's command went through, so this bounds waiting, not progress.
const ROUNDS: u32 = 16;
/// A stream longer than this gets a kept state whenever its version is a multiple of it.
const KEEP_EVERY: i64 = 100;

/// Why a command has no effect, as far as is known.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError<R: std::error::Error + 'static> {
    /// The aggregate refused it.
    #[error("the command was refused")]
    Refused(#[source] R),
    /// Others changed the stream faster than the command could be decided.
    #[error("the stream keeps changing; the command was not applied")]
    Contention,
    /// The log could not be read.
    #[error("the stream could not be read")]
    Read(#[from] ReadError),
    /// The log could not be written, or its answer was lost.
    #[error("the events could not be appended")]
    Append(#[source] AppendError),
}

/// What became of a command.
#[derive(Debug, Clone, PartialEq)]
pub struct Executed<A> {
    /// For the caller.
    pub receipt: Receipt,
    /// The aggregate after it; for a repeated command as it is now.
    pub state: A,
    /// What was to be told again on repetition.
    pub answer: Option<String>,
}

impl App {
    /// Executes one command on one aggregate. `answer` says what the caller shall be told again when the
    /// command is repeated, from the state after it.
    pub(crate) async fn execute<A>(
        &self,
        context: &Context,
        id: Uuid,
        command: <A as Decider>::Command,
        answer: impl Fn(&A) -> Option<String> + Send + Sync,
    ) -> Result<Executed<A>, ExecuteError<<A as Decider>::Refusal>>
    where
        A: Decider
            + Aggregate<
                Services = (),
                Command = <A as Decider>::Command,
                Event = Fact<<A as Decider>::Happened>,
                Error = <A as Decider>::Refusal,
            >,
        <A as Decider>::Command: Clone,
    {
        for _round in 0..ROUNDS {
            let loaded = self.states.load::<Folded<A>>(context.tenant_id, id).await?;
            if let Some(executed) = self
                .execute_on(context, id, loaded, command.clone(), &answer)
                .await?
            {
                return Ok(executed);
            }
        }
        Err(ExecuteError::Contention)
    }

    /// Executes one command on an aggregate that was loaded before; none, and no effect, if its stream has
    /// changed since.
    pub(crate) async fn execute_on<A>(
        &self,
        context: &Context,
        id: Uuid,
        loaded: Loaded<Folded<A>>,
        command: <A as Decider>::Command,
        answer: impl Fn(&A) -> Option<String> + Send + Sync,
    ) -> Result<Option<Executed<A>>, ExecuteError<<A as Decider>::Refusal>>
    where
        A: Decider
            + Aggregate<
                Services = (),
                Command = <A as Decider>::Command,
                Event = Fact<<A as Decider>::Happened>,
                Error = <A as Decider>::Refusal,
            >,
    {
        let Loaded {
            state: Folded(mut state),
            version,
        } = loaded;
        let sink = EventSink::default();
        if let Err(refusal) = Aggregate::handle(&mut state, command, &(), &sink).await {
            // The command may be refused because it has been done already.
            let known = self
                .store
                .find_command(context.tenant_id, context.command_id.uuid())
                .await?;
            return match known {
                Some(appended) => Ok(Some(executed(id, state, appended))),
                None => Err(ExecuteError::Refused(refusal)),
            };
        }
        let happened = sink
            .collect()
            .await
            .into_iter()
            .map(|fact| fact.0.into())
            .collect();
        let append = Append {
            stream: StreamId {
                stream: A::STREAM,
                id,
            },
            expected: version,
            metadata: context.metadata(),
            events: number(context, happened),
            result: answer(&state),
        };
        match self.store.append(append).await {
            Ok(appended) => {
                let state = if appended.duplicate {
                    self.states
                        .load::<Folded<A>>(context.tenant_id, id)
                        .await?
                        .state
                        .0
                } else {
                    self.keep_now_and_then(context, id, &state, appended.version)
                        .await;
                    state
                };
                Ok(Some(executed(id, state, appended)))
            }
            Err(AppendError::Conflict { .. }) => Ok(None),
            Err(error) => Err(ExecuteError::Append(error)),
        }
    }

    async fn keep_now_and_then<A: Decider>(&self, context: &Context, id: Uuid, state: &A, version: i64) {
        if version % KEEP_EVERY != 0 {
            return;
        }
        let loaded = Loaded {
            state: Folded(state.clone()),
            version,
        };
        // A convenience for the next load; the command itself is done.
        if let Err(error) = self.states.keep(context.tenant_id, &[(id, &loaded)]).await {
            tracing::warn!(error = ?error, stream.id = %id, "a folded state could not be kept");
        }
    }
}

/// Gives the events of a command their ids: derived from the command's, so that repeating it repeats them.
pub(crate) fn number(context: &Context, happened: Vec<Event>) -> Vec<NewEvent> {
    happened
        .into_iter()
        .zip(0_u32..)
        .map(|(event, index)| NewEvent {
            event_id: EventId(Uuid::new_v5(&context.command_id.uuid(), &index.to_be_bytes())),
            event,
        })
        .collect()
}

fn executed<A: Decider>(id: Uuid, state: A, appended: Appended) -> Executed<A> {
    Executed {
        receipt: Receipt {
            stream: A::STREAM.as_str(),
            stream_id: id,
            version: appended.version,
            position: appended.position,
            duplicate: appended.duplicate,
        },
        state,
        answer: appended.result,
    }
}
