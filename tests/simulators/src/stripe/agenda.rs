//! Everything that happens by itself when time passes, in order.

use super::model::{SessionStatus, Status, Subscription};
use super::world::World;
use super::{checkout, lifecycle, payments, render};

const DAY: i64 = 86_400;
/// A first invoice can be paid for so long.
const INCOMPLETE_SECONDS: i64 = 23 * 3_600;
/// `trial_will_end` comes so long before the end, or at once where the trial is shorter.
const TRIAL_REMINDER: i64 = 3 * DAY;

/// Something due. Of what is due at the same moment the first in this list happens first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    ExpireSession,
    ExpireIncomplete,
    DropUpdate,
    TrialWillEnd,
    Upcoming,
    Finalize,
    Retry,
    Cancel,
    Renew,
}

/// Lets everything happen that is due by `until`, and leaves the world at that moment.
pub(crate) fn run(world: &mut World, until: i64) {
    while let Some((at, what, id)) = next(world).filter(|(at, _, _)| *at <= until) {
        world.now = world.now.max(at);
        happen(world, what, &id);
    }
    world.now = world.now.max(until);
}

fn next(world: &World) -> Option<(i64, What, String)> {
    let mut first: Option<(i64, What, &str)> = None;
    let mut offer = |at: i64, what: What, id| {
        if first.is_none_or(|(other, kind, _)| (at, what) < (other, kind)) {
            first = Some((at, what, id));
        }
    };
    for session in world.sessions.iter() {
        if session.status == SessionStatus::Open {
            offer(session.expires_at, What::ExpireSession, session.id.as_str());
        }
    }
    for subscription in world.subscriptions.iter() {
        plan(world, subscription, &mut |at, what| {
            offer(at, what, subscription.id.as_str());
        });
    }
    for invoice in world.invoices.iter() {
        if let Some(at) = invoice.finalizes_at {
            offer(at, What::Finalize, invoice.id.as_str());
        }
        if let Some(at) = invoice.next_attempt {
            offer(at, What::Retry, invoice.id.as_str());
        }
    }
    first.map(|(at, what, id)| (at, what, id.to_owned()))
}

fn plan(world: &World, subscription: &Subscription, offer: &mut impl FnMut(i64, What)) {
    if subscription.status.is_final() {
        return;
    }
    if let Some(update) = &subscription.pending_update {
        offer(update.expires_at, What::DropUpdate);
    }
    if let Some(at) = subscription.cancel_at {
        offer(at, What::Cancel);
    }
    match subscription.status {
        Status::Incomplete => offer(subscription.created + INCOMPLETE_SECONDS, What::ExpireIncomplete),
        Status::Paused => {}
        _ => {
            offer(subscription.period_end, What::Renew);
            if subscription.status == Status::Trialing && !subscription.trial_reminded {
                offer(subscription.period_end - TRIAL_REMINDER, What::TrialWillEnd);
            }
            let upcoming = subscription.period_end - i64::from(world.settings.upcoming_days) * DAY;
            let ends = subscription
                .cancel_at
                .is_some_and(|at| at <= subscription.period_end);
            if !subscription.upcoming_sent && !ends && upcoming > subscription.period_start {
                offer(upcoming, What::Upcoming);
            }
        }
    }
}

fn happen(world: &mut World, what: What, id: &str) {
    match what {
        What::ExpireSession => checkout::expire(world, id),
        What::ExpireIncomplete => lifecycle::expire(world, id),
        What::DropUpdate => drop_update(world, id),
        What::TrialWillEnd => {
            if let Some(subscription) = world.subscriptions.get_mut(id) {
                subscription.trial_reminded = true;
            }
            world.emit_subscription("customer.subscription.trial_will_end", id);
        }
        What::Upcoming => upcoming(world, id),
        What::Finalize => {
            payments::finalize(world, id);
            payments::attempt(world, id);
        }
        What::Retry => {
            payments::attempt(world, id);
        }
        What::Cancel => lifecycle::end(world, id, None),
        What::Renew => lifecycle::renew(world, id),
    }
}

fn upcoming(world: &mut World, id: &str) {
    if let Some(subscription) = world.subscriptions.get_mut(id) {
        subscription.upcoming_sent = true;
    }
    if let Some(invoice) = lifecycle::upcoming(world, id) {
        let value = render::invoice_without_id(world, &invoice);
        world.emit("invoice.upcoming", value, None);
    }
}

/// A change that waited 23 hours for its payment is forgotten.
fn drop_update(world: &mut World, id: &str) {
    let update = world
        .subscriptions
        .get(id)
        .and_then(|subscription| subscription.pending_update.clone());
    if let Some(update) = update {
        payments::void(world, &update.invoice);
    }
    world.change_subscription(id, |subscription| subscription.pending_update = None);
    world.emit_subscription("customer.subscription.pending_update_expired", id);
}
