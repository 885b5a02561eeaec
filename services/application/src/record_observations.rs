//! Many aggregates at once: what a sync saw of thousands of products becomes events. States are loaded in one
//! query a chunk, decided in memory by the same pure code, and appended through the same combiner; a conflict
//! is decided again for the product that has it and for no other.

use std::collections::HashMap;

use domain::Decider as _;
use domain::product::{Card, Observation, Product, ProductCommand, ProductRefusal};
use event_store::{Append, AppendError, Loaded, ReadError, StreamId};
use events::ids::ProductId;
use events::{Event, StreamType};
use uuid::Uuid;

use crate::execute::number;
use crate::{App, Context, Folded, allowance};

/// Products in one chunk: what one append batch holds.
pub const CHUNK: usize = 500;
/// How often a product is decided again after a conflict.
const ROUNDS: u32 = 8;

/// Why observations could not be recorded. What was recorded before stays; recording the same again adds
/// nothing.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The states could not be read.
    #[error("the products could not be read")]
    Read(#[from] ReadError),
    /// The events could not be appended.
    #[error("the observations could not be appended")]
    Append(#[source] AppendError),
    /// What the plan allows is not known.
    #[error("the products that the plan allows could not be found out")]
    Allowance(#[from] allowance::Error),
    /// Somebody else keeps writing the same product.
    #[error("article {nm_id} keeps changing under the sync")]
    Contention {
        /// Which.
        nm_id: i64,
    },
}

/// A level that makes no sense. It was left as it was; the rest of the observation was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Which.
    pub nm_id: i64,
    /// Why.
    pub refusal: ProductRefusal,
}

/// What became of a chunk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recorded {
    /// Products for which something was written.
    pub changed: u64,
    /// Events written.
    pub events: u64,
    /// Position of the last event written; 0 when none was.
    pub position: i64,
    /// Levels that were left as they were.
    pub refused: Vec<Refused>,
    /// Orders that were not recorded, because they would have doubled known ones under other ids.
    pub orders_held_back: u64,
    /// Products of which nothing or no numbers were recorded, because the plan allows fewer.
    pub beyond_plan: u64,
}

impl Recorded {
    /// Adds another chunk's result.
    pub fn add(&mut self, other: Self) {
        self.changed += other.changed;
        self.events += other.events;
        self.position = self.position.max(other.position);
        self.refused.extend(other.refused);
        self.orders_held_back += other.orders_held_back;
        self.beyond_plan += other.beyond_plan;
    }
}

struct Decided {
    id: Uuid,
    observation: Observation,
    after: Product,
    version: i64,
    events: Vec<Event>,
}

/// Records at most a chunk of observations, all of one cabinet, each product once. The parts' command ids
/// follow from `context` and the product, so a repeated chunk is recognised product by product.
///
/// # Errors
/// [`Error`].
pub async fn execute(
    app: &App,
    context: &Context,
    observations: Vec<Observation>,
) -> Result<Recorded, Error> {
    let (observations, beyond_plan) = within_plan(app, context, observations).await?;
    let mut recorded = Recorded {
        beyond_plan,
        ..Recorded::default()
    };
    for observation in &observations {
        let refused = observation.refusals().into_iter().map(|refusal| Refused {
            nm_id: observation.nm_id,
            refusal,
        });
        recorded.refused.extend(refused);
    }
    let mut pending = observations;
    for round in 0..ROUNDS {
        if pending.is_empty() {
            return Ok(recorded);
        }
        let ids: Vec<Uuid> = pending.iter().map(product_id).collect();
        let states = app
            .states
            .load_many::<Folded<Product>>(context.tenant_id, &ids)
            .await?;
        if round == 0 {
            recorded.orders_held_back = orders_held_back(&pending, &states);
        }
        let decided = decide(pending, states);
        pending = append(app, context, decided, round, &mut recorded).await?;
    }
    pending.first().map_or(Ok(recorded), |observation| {
        Err(Error::Contention {
            nm_id: observation.nm_id,
        })
    })
}

/// What of the observations is recorded under the tenant's plan, and of how many products something is not.
/// The oldest products that the plan allows are kept up to date. Of a further one only its coming to the
/// catalogue and its leaving are recorded, and no number: with a better plan the next sync brings those.
async fn within_plan(
    app: &App,
    context: &Context,
    observations: Vec<Observation>,
) -> Result<(Vec<Observation>, u64), Error> {
    let allowed = allowance::of(app, context.tenant_id).await;
    let allowed = allowed.map_err(allowance::Error::from)?;
    let Some(limit) = allowed.and_then(|allowed| allowed.allowance.products) else {
        return Ok((observations, 0));
    };
    let ids: Vec<Uuid> = observations.iter().map(product_id).collect();
    let room = app.places.room(context.tenant_id, limit, &ids).await;
    let room = room.map_err(allowance::Error::from)?;
    // Those that were there before come before new ones.
    let returns = |(id, observation): &(&Uuid, &Observation)| {
        let known = room.known.get(*id);
        observation.is_in_catalogue() && known.is_some_and(|known| known.delisted && !known.beyond)
    };
    let returning = ids.iter().zip(&observations).filter(returns).count() as u64;
    let mut free = room.free.saturating_sub(returning);
    let mut beyond = 0;
    let recorded = ids.iter().zip(observations).filter_map(|(id, observation)| {
        match room.known.get(id) {
            Some(known) if !known.beyond => return Some(observation),
            Some(known) if !known.delisted && observation.card != Card::Missing => {
                beyond += 1;
                return None;
            }
            None if !observation.lists() => return Some(observation),
            None if free > 0 => {
                free -= 1;
                return Some(observation);
            }
            Some(_) | None => {}
        }
        beyond += u64::from(observation.is_in_catalogue());
        Some(observation.without_numbers())
    });
    let recorded = recorded.collect();
    Ok((recorded, beyond))
}

fn product_id(observation: &Observation) -> Uuid {
    ProductId::of(observation.cabinet_id, observation.nm_id).uuid()
}

fn orders_held_back(observations: &[Observation], states: &HashMap<Uuid, Loaded<Folded<Product>>>) -> u64 {
    let of = |observation: &Observation| {
        let known = states.get(&product_id(observation))?;
        Some(known.state.0.orders_held_back(observation))
    };
    observations.iter().filter_map(of).sum()
}

fn decide(
    observations: Vec<Observation>,
    mut states: HashMap<Uuid, Loaded<Folded<Product>>>,
) -> Vec<Decided> {
    let mut decided = Vec::new();
    for observation in observations {
        let id = product_id(&observation);
        let Loaded {
            state: Folded(mut product),
            version,
        } = states.remove(&id).unwrap_or_default();
        let Ok(happened) = product.decide(ProductCommand::Observe(Box::new(observation.clone())));
        if happened.is_empty() {
            continue;
        }
        for event in &happened {
            product.evolve(event);
        }
        let events = happened.into_iter().map(Event::from).collect();
        decided.push(Decided {
            id,
            observation,
            after: product,
            version,
            events,
        });
    }
    decided
}

/// Appends, keeps the new states, and returns the observations whose product changed meanwhile.
async fn append(
    app: &App,
    context: &Context,
    mut decided: Vec<Decided>,
    round: u32,
    recorded: &mut Recorded,
) -> Result<Vec<Observation>, Error> {
    let appends = decided.iter_mut().map(|product| {
        let part = context.part(&format!("{}#{round}", product.id));
        let events = number(&part, std::mem::take(&mut product.events));
        Append {
            stream: StreamId {
                stream: StreamType::Product,
                id: product.id,
            },
            expected: product.version,
            metadata: part.metadata(),
            events,
            result: None,
        }
    });
    let appends: Vec<Append> = appends.collect();
    let counts: Vec<u64> = appends.iter().map(|append| append.events.len() as u64).collect();
    let answers = app.store.append_many(appends).await;
    let mut conflicted = Vec::new();
    let mut kept = Vec::with_capacity(answers.len());
    for ((product, count), answer) in decided.into_iter().zip(counts).zip(answers) {
        match answer {
            Ok(appended) => {
                recorded.changed += 1;
                recorded.events += count;
                recorded.position = recorded.position.max(appended.position);
                if !appended.duplicate {
                    kept.push((
                        product.id,
                        Loaded {
                            state: Folded(product.after),
                            version: appended.version,
                        },
                    ));
                }
            }
            Err(AppendError::Conflict { .. }) => conflicted.push(product.observation),
            Err(error) => return Err(Error::Append(error)),
        }
    }
    let states: Vec<(Uuid, &Loaded<Folded<Product>>)> =
        kept.iter().map(|(id, loaded)| (*id, loaded)).collect();
    if let Err(error) = app.states.keep(context.tenant_id, &states).await {
        tracing::warn!(error = ?error, "folded products could not be kept; the next sync folds them again");
    }
    Ok(conflicted)
}
