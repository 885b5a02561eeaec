//! Records what a sync saw, holds back what is doubtful of it, and records what a person released.

use std::collections::BTreeSet;

use application::domain::sync::{HELD_NO_LONGER, WHOLE};
use application::record_observations;
use events::ids::SyncId;

use super::compose::{self, Composer, Holding, Part};
use super::held::{self, HoldError, Holds};
use super::plausible::{Judgement, judge};
use super::sources::Seen;
use super::{Attempt, End, Trouble, doubled, facts};
use crate::memory::Memory;

impl Attempt<'_> {
    pub(super) async fn record(&self, mut seen: Seen) -> Result<(End, &'static str), Trouble> {
        if seen.is_nothing() {
            // Nothing was seen, so nothing that is believed, doubted or held back has changed.
            return Ok(self.complete(0, 0, seen.reports()).await);
        }
        let (memory, now) = (self.memory(), self.syncs.clock.now());
        let mut beliefs = memory.beliefs().await?;
        beliefs.forget_decided(|by, source| self.is_held(by, source));
        let keys = memory.warehouse_keys(&seen.warehouses()).await?;
        seen.resolve_warehouses(&keys);
        facts::take_empty_answers(&mut seen, &beliefs);
        let mut articles = memory.articles().await?;
        let keys = compose::order_keys(keys, &seen);
        let facts = facts::of(&seen, &articles, &keys, self.syncs.order_days, now);
        let mut judgement = judge(&beliefs, &facts, now);
        let holding = Holding::of(&judgement);
        let new = |seen: Vec<i64>, known: &BTreeSet<i64>| -> Vec<i64> {
            seen.into_iter().filter(|nm_id| !known.contains(nm_id)).collect()
        };
        let believed = new(seen.articles(|source| holding.0.contains_key(source)), &articles);
        memory.add_articles(&believed).await?;
        articles.extend(believed);
        let doubtful = new(seen.articles(|_| false), &articles);
        let composer = Composer::new(self.job, &self.attempt, seen, &keys, &judgement, now);
        let articles: Vec<i64> = articles.into_iter().collect();
        if !holding.0.is_empty() {
            let all = [articles.as_slice(), &doubtful].concat();
            self.hold(&composer, &all, &judgement).await?;
            let sources = holding.0.keys().map(String::as_str).collect();
            judgement.after.held_by(self.job.sync_id, &sources);
        }
        let mut recorded = record_observations::Recorded::default();
        for (number, chunk) in articles.chunks(composer.chunk()).enumerate() {
            let context = self.part(&format!("observe:{number}"));
            let observations = composer.observations(chunk, Part::Believed);
            recorded.add(record_observations::execute(&self.syncs.app, &context, observations).await?);
        }
        memory.believe(&judgement.after).await?;
        let reports = composer.into_reports(&recorded.refused);
        let reports = doubled::with_held_back(reports, recorded.orders_held_back);
        if !holding.0.is_empty() {
            return Ok(self.quarantine(&judgement, reports).await);
        }
        Ok(self
            .complete(articles.len() as u64, recorded.changed, reports)
            .await)
    }

    /// Whether a sync's answer of this source still waits for a person.
    fn is_held(&self, sync_id: SyncId, source: &str) -> bool {
        let mut held = self.attempt.held.iter().filter(|held| held.sync_id == sync_id);
        held.any(|held| held.sources.iter().any(|known| known == source))
    }

    fn memory(&self) -> Memory {
        Memory::new(
            self.syncs.app.store.pool().clone(),
            self.job.tenant_id,
            self.job.cabinet_id,
        )
    }

    pub(super) fn holds(&self) -> Holds {
        Holds {
            pool: self.syncs.app.store.pool().clone(),
            tenant_id: self.job.tenant_id,
            cabinet_id: self.job.cabinet_id,
        }
    }

    /// Keeps what is doubted for a person to decide about, in place of recording it.
    async fn hold(
        &self,
        composer: &Composer<'_>,
        articles: &[i64],
        judgement: &Judgement,
    ) -> Result<(), Trouble> {
        let (holds, sync_id, now) = (self.holds(), self.job.sync_id, self.syncs.clock.now());
        let key = self.syncs.app.vault.payload_key(self.job.tenant_id).await?;
        holds.destroy(sync_id).await?;
        let mut parts = 0;
        for chunk in articles.chunks(composer.chunk()) {
            parts += 1;
            let observations = composer.observations(chunk, Part::Held);
            holds.put(&key, sync_id, parts, &observations, now).await?;
        }
        let summary = held::Summary {
            parts,
            articles: articles.len() as u64,
            reports: composer.held_reports(),
            seen: judgement.seen.clone(),
            scopes: composer.holding().clone(),
        };
        holds.put(&key, sync_id, 0, &summary, now).await?;
        Ok(())
    }

    /// A person believes what an earlier attempt saw: exactly that is recorded, as far as no later sync has
    /// told something else.
    pub(super) async fn record_held(&self) -> Result<(End, &'static str), Trouble> {
        let (holds, sync_id) = (self.holds(), self.job.sync_id);
        let (memory, releasing) = (self.memory(), &self.attempt.releasing);
        let key = self
            .syncs
            .app
            .vault
            .stored_payload_key(self.job.tenant_id)
            .await?;
        let summary = match holds.summary(&key, sync_id).await {
            Err(HoldError::Missing { .. }) => {
                let detail = "what was held back is not there any more";
                return Ok(self.fail(HELD_NO_LONGER, detail, None, vec![], false).await);
            }
            summary => summary?,
        };
        let mut recorded = record_observations::Recorded::default();
        for part in 1..=summary.parts {
            let context = self.part(&format!("observe:{part}"));
            let held = holds.observations(&key, sync_id, part).await?;
            let articles: Vec<i64> = held.iter().map(|observation| observation.nm_id).collect();
            memory.add_articles(&articles).await?;
            let held = held
                .into_iter()
                .map(|observation| compose::only(observation, releasing));
            let observations = held.collect();
            recorded.add(record_observations::execute(&self.syncs.app, &context, observations).await?);
        }
        let released = |source: &str| releasing.iter().any(|known| known == source || known == WHOLE);
        let mut beliefs = memory.beliefs().await?;
        for (source, keys) in summary.scopes.0.iter().filter(|(source, _)| released(source)) {
            beliefs.take(&summary.seen, source, keys.as_deref());
        }
        let reports = summary
            .reports
            .into_iter()
            .filter(|report| released(&report.source));
        let reports = reports.map(compose::as_released).collect();
        let reports = compose::with_refused(reports, &recorded.refused);
        let ended = self.complete(summary.articles, recorded.changed, reports).await;
        // Only now: an end that was not recorded is tried again, and needs what is held.
        if ended.0 == End::Done {
            memory.believe(&beliefs).await?;
        }
        Ok(ended)
    }
}
