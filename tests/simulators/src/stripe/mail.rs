//! Endpoints and the deliveries to them: what is sent, when, how often, in which order, and what came back.

use std::collections::{BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use super::versions::Version;
use crate::dice::Dice;

/// Seconds between an attempt and the next; the last one is repeated until three days have passed.
///
/// Unknown: the exact delays. Documented are an exponential backoff and an end after three days.
const BACKOFF: [i64; 7] = [60, 300, 1_800, 7_200, 18_000, 36_000, 43_200];
const GIVE_UP_SECONDS: i64 = 3 * 86_400;

/// Where events go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct EndpointConfig {
    /// Addresses that take turns, as replicas behind one name would.
    pub urls: Vec<String>,
    /// Version of the events.
    pub version: Version,
    /// Whether events are sent as thin `v2.core.event`.
    pub thin: bool,
    /// Kinds that are sent; all if empty.
    pub events: Vec<String>,
    /// Signing secrets; two while one is being rolled.
    pub secrets: Vec<String>,
}

impl Default for EndpointConfig {
    fn default() -> Self {
        Self {
            urls: Vec::new(),
            version: Version::Endive,
            thin: false,
            events: Vec::new(),
            secrets: vec!["whsec_simulated_1".to_owned()],
        }
    }
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// It waits until it is let go.
    Held,
    /// It is sent when its time has come.
    Waiting,
    /// It is on its way.
    Sending,
    /// It was answered with 2xx.
    Delivered,
    /// Three days of attempts were in vain.
    Failed,
    /// It was lost by script and is never sent.
    Lost,
}

/// One try to deliver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Simulated time in seconds since 1970.
    pub at: i64,
    /// The address it went to.
    pub url: String,
    /// The answer's status; none if there was no answer.
    pub status: Option<u16>,
}

/// One event on its way to one endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Number of the delivery, from 0.
    pub number: usize,
    /// The event's id.
    pub event: String,
    /// The event's kind.
    pub kind: String,
    /// Number of the endpoint, from 0.
    pub endpoint: usize,
    /// Where it stands.
    pub state: DeliveryState,
    /// Simulated time at which it is due, in seconds since 1970.
    pub due: i64,
    /// What was tried so far.
    pub attempts: Vec<Attempt>,
}

/// How held deliveries are let go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Release {
    /// Only these deliveries, by number; all held ones if absent. Their order counts if `order` is `given`.
    pub only: Option<Vec<usize>>,
    /// Only so many of them, the first in the order made.
    pub count: Option<usize>,
    /// In which order they are sent.
    pub order: Order,
    /// Chance for order, copies and lateness follows from it.
    pub seed: u64,
    /// How often each is sent: between these two numbers.
    pub copies: (usize, usize),
    /// How many of a thousand are late.
    pub late_per_mille: usize,
    /// How late they are, in simulated seconds.
    pub late_seconds: i64,
}

impl Default for Release {
    fn default() -> Self {
        Self {
            only: None,
            count: None,
            order: Order::AsMade,
            seed: 1,
            copies: (1, 1),
            late_per_mille: 0,
            late_seconds: 3 * 86_400,
        }
    }
}

/// Order of deliveries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// As the events were made.
    AsMade,
    /// Newest first.
    Reversed,
    /// By chance.
    Shuffled,
    /// As named in `only`.
    Given,
}

/// The simulated post office.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Mail {
    pub(crate) endpoints: Vec<EndpointConfig>,
    pub(crate) deliveries: Vec<Delivery>,
    /// Whether new deliveries wait to be let go.
    pub(crate) hold: bool,
    /// How many may be on their way at the same time.
    pub(crate) concurrency: usize,
    /// Whether a refused delivery is sent again.
    pub(crate) retry: bool,
    turns: usize,
    ready: VecDeque<usize>,
    /// Due time and number of those that wait for their time.
    later: BTreeSet<(i64, usize)>,
    sending: usize,
}

impl Default for Mail {
    fn default() -> Self {
        Self {
            endpoints: Vec::new(),
            deliveries: Vec::new(),
            hold: false,
            concurrency: 1,
            retry: true,
            turns: 0,
            ready: VecDeque::new(),
            later: BTreeSet::new(),
            sending: 0,
        }
    }
}

impl Mail {
    /// Number of endpoints that want this kind of event.
    pub(crate) fn endpoints_for(&self, kind: &str) -> usize {
        self.wanting(kind).len()
    }

    fn wanting(&self, kind: &str) -> Vec<usize> {
        (0..self.endpoints.len())
            .filter(|&at| {
                let kinds = &self.endpoints[at].events;
                kinds.is_empty() || kinds.iter().any(|wanted| wanted == kind)
            })
            .collect()
    }

    /// After a start: what was on its way is sent again, because its answer is unknown.
    pub(crate) fn restart(&mut self) {
        self.sending = 0;
        for delivery in &mut self.deliveries {
            if delivery.state == DeliveryState::Sending {
                delivery.state = DeliveryState::Waiting;
                self.ready.push_front(delivery.number);
            }
        }
    }

    /// Makes the deliveries of a new event.
    pub(crate) fn post(&mut self, event: &str, kind: &str, now: i64) {
        for endpoint in self.wanting(kind) {
            let state = if self.hold {
                DeliveryState::Held
            } else {
                DeliveryState::Waiting
            };
            let number = self.add(event, kind, endpoint, state, now);
            if !self.hold {
                self.ready.push_back(number);
            }
        }
    }

    fn add(&mut self, event: &str, kind: &str, endpoint: usize, state: DeliveryState, due: i64) -> usize {
        let number = self.deliveries.len();
        self.deliveries.push(Delivery {
            number,
            event: event.to_owned(),
            kind: kind.to_owned(),
            endpoint,
            state,
            due,
            attempts: Vec::new(),
        });
        number
    }

    /// Sends an event once more, as the dashboard's button does. False if no endpoint takes its kind.
    pub(crate) fn again(&mut self, event: &str, kind: &str, now: i64) -> bool {
        let wanting = self.wanting(kind);
        for &endpoint in &wanting {
            let number = self.add(event, kind, endpoint, DeliveryState::Waiting, now);
            self.ready.push_back(number);
        }
        !wanting.is_empty()
    }

    /// Lets held deliveries go; returns how many deliveries that makes, copies included.
    pub(crate) fn release(&mut self, release: &Release, now: i64) -> usize {
        let mut dice = Dice::new(release.seed);
        let mut chosen: Vec<usize> = match &release.only {
            Some(only) => only.clone(),
            None => (0..self.deliveries.len()).collect(),
        };
        chosen.retain(|&number| {
            self.deliveries
                .get(number)
                .is_some_and(|delivery| delivery.state == DeliveryState::Held)
        });
        match release.order {
            Order::AsMade => chosen.sort_unstable(),
            Order::Reversed => chosen.sort_unstable_by(|one, other| other.cmp(one)),
            Order::Shuffled => shuffle(&mut chosen, &mut dice),
            Order::Given => {}
        }
        chosen.truncate(release.count.unwrap_or(usize::MAX));
        let (least, most) = release.copies;
        let mut all = Vec::new();
        for &number in &chosen {
            let copies = least.max(1) + dice.below(most.saturating_sub(least) + 1);
            for copy in 0..copies {
                let one = if copy == 0 {
                    number
                } else {
                    let Delivery {
                        event,
                        kind,
                        endpoint,
                        due,
                        ..
                    } = self.deliveries[number].clone();
                    self.add(&event, &kind, endpoint, DeliveryState::Held, due)
                };
                all.push(one);
            }
        }
        if release.order == Order::Shuffled {
            // Copies are not neighbours.
            shuffle(&mut all, &mut dice);
        }
        let made = all.len();
        for number in all {
            let late = dice.below(1_000) < release.late_per_mille;
            let due = if late { now + release.late_seconds } else { now };
            let delivery = &mut self.deliveries[number];
            delivery.state = DeliveryState::Waiting;
            delivery.due = due;
            if late {
                self.later.insert((due, number));
            } else {
                self.ready.push_back(number);
            }
        }
        made
    }

    /// Loses deliveries that were not sent yet; returns how many.
    pub(crate) fn lose(&mut self, numbers: &[usize]) -> usize {
        let mut lost = 0;
        for &number in numbers {
            let Some(delivery) = self.deliveries.get_mut(number) else {
                continue;
            };
            if matches!(delivery.state, DeliveryState::Held | DeliveryState::Waiting) {
                delivery.state = DeliveryState::Lost;
                self.later.remove(&(delivery.due, number));
                self.ready.retain(|&other| other != number);
                lost += 1;
            }
        }
        lost
    }

    /// The next delivery to send, with its address; none if nothing is due or enough are on their way.
    pub(crate) fn take(&mut self, now: i64) -> Option<(usize, String)> {
        if self.sending >= self.concurrency.max(1) {
            return None;
        }
        while let Some(&(due, number)) = self.later.first().filter(|(due, _)| *due <= now) {
            self.later.remove(&(due, number));
            self.ready.push_back(number);
        }
        while let Some(number) = self.ready.pop_front() {
            let delivery = self.deliveries.get_mut(number)?;
            let Some(endpoint) = self.endpoints.get(delivery.endpoint) else {
                continue;
            };
            if endpoint.urls.is_empty() {
                // An endpoint without an address takes nothing; its events can be listed.
                delivery.state = DeliveryState::Held;
                continue;
            }
            let url = endpoint.urls[self.turns % endpoint.urls.len()].clone();
            self.turns += 1;
            self.sending += 1;
            delivery.state = DeliveryState::Sending;
            return Some((number, url));
        }
        None
    }

    /// A delivery was answered, or not.
    pub(crate) fn done(&mut self, number: usize, url: String, status: Option<u16>, now: i64) {
        self.sending = self.sending.saturating_sub(1);
        let Some(delivery) = self.deliveries.get_mut(number) else {
            return;
        };
        let tried = delivery.attempts.len();
        let began = delivery.attempts.first().map_or(delivery.due, |first| first.at);
        delivery.attempts.push(Attempt {
            at: delivery.due,
            url,
            status,
        });
        if status.is_some_and(|status| (200..300).contains(&status)) {
            delivery.state = DeliveryState::Delivered;
            return;
        }
        // Counted from when it was due, so that a jump of the clock plays every attempt in between.
        let due = delivery.due + BACKOFF.get(tried).or(BACKOFF.last()).copied().unwrap_or(60);
        if !self.retry || due - began > GIVE_UP_SECONDS {
            delivery.state = DeliveryState::Failed;
            return;
        }
        delivery.state = DeliveryState::Waiting;
        delivery.due = due;
        if due <= now {
            self.ready.push_back(number);
        } else {
            self.later.insert((due, number));
        }
    }

    /// Whether every endpoint that wants an event has taken it.
    pub(crate) fn has_delivered(&self, event: &str) -> bool {
        let mut pending: BTreeSet<usize> = BTreeSet::new();
        let mut taken: BTreeSet<usize> = BTreeSet::new();
        for delivery in self.deliveries.iter().filter(|delivery| delivery.event == event) {
            if delivery.state == DeliveryState::Delivered {
                taken.insert(delivery.endpoint);
            } else {
                pending.insert(delivery.endpoint);
            }
        }
        pending.is_subset(&taken)
    }

    /// Whether nothing is on its way and nothing is due.
    pub(crate) fn is_quiet(&self, now: i64) -> bool {
        self.sending == 0 && self.ready.is_empty() && self.later.first().is_none_or(|(due, _)| *due > now)
    }
}

fn shuffle(numbers: &mut [usize], dice: &mut Dice) {
    for at in (1..numbers.len()).rev() {
        numbers.swap(at, dice.below(at + 1));
    }
}
