//! Runs what turns events into notices, and what sends them to members.

use std::sync::Arc;

use application::App;
use connectors::telegram::{BotToken, Lane, Limits, Options, Pace, Telegram};
use notifications::{Channel, Outbox};
use notifier::fan_out::{self, FanOutOptions, Fanning, Observer};
use notifier::sender::{Sender, SenderOptions};
use notifier::sheets::SheetPolicy;
use notifier::texts::Texts;
use worker::gauges;

use crate::Failure;
use crate::assembly::Assembly;

/// Runs what turns events into notices, and what sends them to members where there is a bot. Without one,
/// nobody has a linked chat, so that nothing waits.
pub(crate) fn start(assembly: &Assembly, app: &App) -> Result<(), Failure> {
    let pool = app.store.pool().clone();
    let metrics = assembly.metrics.clone();
    let observer: Observer = Arc::new(move |outcome, kind, channel, number| {
        metrics.notices(outcome.as_str(), kind.as_str(), channel.as_str(), number);
    });
    let fanning = Fanning {
        pool: pool.clone(),
        clock: assembly.clock.clone(),
        ids: assembly.ids.clone(),
        options: FanOutOptions::default(),
        observer: Arc::clone(&observer),
    };
    let (wake, stop) = (assembly.wake.subscribe(), assembly.lifecycle.soft());
    assembly.lifecycle.spawn("notices", async move {
        fanning.run(wake, stop).await;
        Ok::<(), Failure>(())
    });
    let policy = SheetPolicy {
        app: app.clone(),
        pool: pool.clone(),
        clock: assembly.clock.clone(),
        ids: assembly.ids.clone(),
    };
    let stop = assembly.lifecycle.soft();
    assembly.lifecycle.spawn("sheet policy", async move {
        policy.run(stop).await;
        Ok::<(), Failure>(())
    });
    if let Some(telegram) = bot(assembly)? {
        let sender = Sender {
            app: app.clone(),
            pool,
            telegram,
            texts: Texts::load()?,
            clock: assembly.clock.clone(),
            ids: assembly.ids.clone(),
            options: SenderOptions::default(),
            observer,
        };
        let stop = assembly.lifecycle.soft();
        assembly.lifecycle.spawn("telegram sender", async move {
            sender.run(stop).await;
            Ok::<(), Failure>(())
        });
    }
    figures(assembly, app);
    Ok(())
}

/// The bot at the pace that Telegram allows; none without a token.
fn bot(assembly: &Assembly) -> Result<Option<Telegram>, Failure> {
    let settings = &assembly.settings.telegram;
    let Some(token) = settings.bot_token.clone() else {
        return Ok(None);
    };
    let options = Options {
        url: settings.url.clone(),
        ..Options::default()
    };
    let client = Telegram::new(assembly.http()?, BotToken::parse(token)?, options);
    Ok(Some(client.paced(&Pace::new(Limits::default()), Lane::Notice)))
}

/// Tells how far the notices are behind the log, and what waits. Every notifier does, active or not.
fn figures(assembly: &Assembly, app: &App) {
    let (own, pool, stop) = (
        assembly.clone(),
        app.store.pool().clone(),
        assembly.lifecycle.soft(),
    );
    assembly.lifecycle.spawn("notice figures", async move {
        let outbox = Outbox::new(pool.clone(), Channel::Telegram);
        let ask = async || {
            let behind = fan_out::lag(&pool).await?;
            let waiting = outbox.figures(own.clock.now()).await?;
            Ok::<_, Failure>((behind, waiting))
        };
        let age = |since: Option<chrono::DateTime<chrono::Utc>>| {
            let age = since.map(|since| own.clock.now() - since);
            age.and_then(|age| age.to_std().ok()).unwrap_or_default()
        };
        let tell = |(behind, waiting): (event_store::Behind, notifications::Figures)| {
            own.metrics
                .policy_lag("notices", behind.events, age(behind.since));
            let oldest = age(waiting.oldest_due);
            own.metrics
                .waiting_notices(Channel::Telegram.as_str(), waiting.waiting, oldest);
        };
        gauges::watch(ask, tell, &stop).await;
        Ok::<(), Failure>(())
    });
}
