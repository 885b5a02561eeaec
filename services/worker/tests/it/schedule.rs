//! When cabinets are due: by their tenant's plan and clock, spread, made up for once, and nobody's turn is
//! lost to a tenant with many.

use std::collections::BTreeMap;

use application::domain::plans::{Allowance, Plans};
use application::domain::schedule::{Rhythm, next_due, zone};
use chrono::{DateTime, TimeDelta, Timelike as _, Utc};
use events::ids::CabinetId;
use events::subscription::Plan;
use uuid::Uuid;

use crate::world::{World, seller};

fn plans() -> Plans {
    let every = |sync_interval_minutes| Allowance {
        price_cents: 0,
        sync_interval_minutes,
        products: None,
        cabinets: None,
        api_calls: None,
        webhooks: false,
        history_days: None,
    };
    let rhythms = [1440, 120, 30, 10].map(every);
    let allowances: BTreeMap<Plan, Allowance> = Plan::ALL.into_iter().zip(rhythms).collect();
    Plans::new(allowances, Plan::Starter, 5).unwrap()
}

fn tenant(number: u128) -> Uuid {
    Uuid::from_u128(0xa000 + number)
}

/// The tables as a policy finds them, with the rights of whoever set them up.
struct Tables(tokio_postgres::Client);

impl Tables {
    async fn of(world: &World) -> Self {
        Self(support::connect(world.database_url()).await)
    }

    /// A cabinet whose last sync was asked for at a time.
    async fn cabinet(&self, tenant: Uuid, cabinet: Uuid, asked_at: DateTime<Utc>) {
        self.0
            .execute(
                "INSERT INTO core.cabinet_work (tenant_id, cabinet_id, usable, connected_at, requested_at, ended_at)
                 VALUES ($1, $2, true, $3, $3, $3)",
                &[&tenant, &cabinet, &asked_at],
            )
            .await
            .unwrap();
    }

    async fn terms(&self, tenant: Uuid, plan: &str, time_zone: &str) {
        self.0
            .execute(
                "INSERT INTO core.tenant_terms AS t (tenant_id, plan, time_zone) VALUES ($1, $2, $3)
                 ON CONFLICT (tenant_id) DO UPDATE SET plan = EXCLUDED.plan, reschedule = true",
                &[&tenant, &plan, &time_zone],
            )
            .await
            .unwrap();
    }

    async fn due_at(&self, cabinet: Uuid) -> DateTime<Utc> {
        let select = "SELECT due_at FROM core.cabinet_work WHERE cabinet_id = $1";
        self.0.query_one(select, &[&cabinet]).await.unwrap().get(0)
    }

    /// What the scheduler is told to request, in its order.
    async fn due(&self, now: DateTime<Utc>, limit: i32, most: i32) -> Vec<(Uuid, Uuid)> {
        self.0
            .query(
                "SELECT tenant_id, cabinet_id FROM core.next_due_cabinets($1, $2, $3)",
                &[&now, &limit, &most],
            )
            .await
            .unwrap()
            .iter()
            .map(|row| (row.get(0), row.get(1)))
            .collect()
    }

    /// What the policy writes when it takes up a request, and when it takes up the end.
    async fn requested(&self, cabinets: &[Uuid], now: DateTime<Utc>) {
        self.0
            .execute(
                "UPDATE core.cabinet_work SET sync_id = cabinet_id, attempt = 0, queue_at = $2, requested_at = $2,
                        offered_at = NULL WHERE cabinet_id = ANY ($1)",
                &[&cabinets, &now],
            )
            .await
            .unwrap();
    }

    async fn ended(&self, cabinets: &[Uuid], now: DateTime<Utc>) {
        self.0
            .execute(
                "UPDATE core.cabinet_work SET sync_id = NULL, queue_at = NULL, offered_at = NULL, due_at = NULL,
                        ended_at = $2 WHERE cabinet_id = ANY ($1)",
                &[&cabinets, &now],
            )
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_cabinet_is_due_by_its_tenants_plan_and_a_changed_plan_or_clock_moves_it() {
    let mut world = World::start(seller()).await;
    world.policy.plans = plans();
    let tables = Tables::of(&world).await;
    let (tenant, cabinet) = (tenant(1), Uuid::from_u128(7));
    let asked = world.clock.now();
    tables.cabinet(tenant, cabinet, asked).await;
    world.policy.round().await.unwrap();
    let wanted = |rhythm, name: &str| next_due(CabinetId(cabinet), rhythm, zone(name).unwrap(), asked);
    let every = |seconds| Rhythm::Every { seconds };
    assert_eq!(tables.due_at(cabinet).await, wanted(every(7200), "Europe/Moscow"));
    tables.terms(tenant, "enterprise", "Asia/Vladivostok").await;
    tables.terms(tenant, "enterprise", "Asia/Vladivostok").await;
    world.policy.round().await.unwrap();
    assert_eq!(tables.due_at(cabinet).await, wanted(every(600), "Europe/Moscow"));
    tables.terms(tenant, "free", "Asia/Vladivostok").await;
    world.policy.round().await.unwrap();
    let daily = tables.due_at(cabinet).await;
    assert_eq!(daily, wanted(Rhythm::Daily { hour: 5 }, "Asia/Vladivostok"));
    let there = daily.with_timezone(&zone("Asia/Vladivostok").unwrap());
    assert_eq!(there.hour(), 5, "in the tenant's own morning");
}

#[tokio::test]
async fn after_three_days_down_each_cabinet_is_synced_once_the_longest_waiting_first_and_a_few_at_a_time() {
    const MOST: i32 = 40;
    let mut world = World::start(seller()).await;
    world.policy.plans = plans();
    let tables = Tables::of(&world).await;
    let down = world.clock.now();
    let mut all = BTreeMap::new();
    // One tenant with many cabinets, four with few.
    for (owner, count) in [(1_u128, 160_u128), (2, 10), (3, 10), (4, 10), (5, 10)] {
        for number in 0..count {
            let cabinet = Uuid::from_u128(owner * 1_000 + number);
            all.insert(cabinet, tenant(owner));
            tables.cabinet(tenant(owner), cabinet, down).await;
        }
    }
    world.policy.round().await.unwrap();
    assert!(world.clock.advance(TimeDelta::days(3)));
    let own = world.cabinet_id.uuid();
    let mut taken: Vec<Uuid> = Vec::new();
    let mut with_workers: Vec<Uuid> = Vec::new();
    let mut most_at_once = 0;
    for _second in 0..600 {
        let now = world.clock.now();
        let due = tables.due(now, 20, MOST).await;
        assert!(due.len() <= 20);
        let due: Vec<Uuid> = due
            .into_iter()
            .map(|(_, cabinet)| cabinet)
            .filter(|id| *id != own)
            .collect();
        tables.requested(&due, now).await;
        taken.extend(&due);
        with_workers.extend(&due);
        most_at_once = most_at_once.max(with_workers.len());
        // The workers finish five a second.
        let done: Vec<Uuid> = with_workers.drain(..with_workers.len().min(5)).collect();
        tables.ended(&done, now).await;
        world.policy.round().await.unwrap();
        world.clock.advance(TimeDelta::seconds(1));
        if taken.len() >= all.len() && with_workers.is_empty() {
            break;
        }
    }
    let mut once = taken.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(
        (once.len(), taken.len()),
        (all.len(), all.len()),
        "each once, however many were missed"
    );
    assert!(
        most_at_once <= usize::try_from(MOST).unwrap() + 1,
        "{most_at_once}"
    );
    // Tenants took turns: the small ones were through long before the large one.
    let small_done = taken
        .iter()
        .rposition(|cabinet| all[cabinet] != tenant(1))
        .unwrap();
    assert!(small_done < 60, "{small_done}");
    // And nobody is due again at once: the next ones are spread over the rhythm.
    let now = world.clock.now();
    assert!(
        tables
            .due(now, 500, 500)
            .await
            .iter()
            .all(|(_, cabinet)| *cabinet == own)
    );
    let soon = tables.due(now + TimeDelta::minutes(75), 500, 500).await.len();
    assert!((20..180).contains(&soon), "half way, about half: {soon}");
}

#[tokio::test]
async fn cabinets_that_rest_and_tenants_that_are_suspended_are_not_due() {
    let world = World::start(seller()).await;
    let tables = Tables::of(&world).await;
    let asked = world.clock.now() - TimeDelta::days(1);
    for number in 1..=3 {
        tables
            .cabinet(tenant(number), Uuid::from_u128(number), asked)
            .await;
    }
    world.policy.round().await.unwrap();
    let pause = "UPDATE core.cabinet_work SET paused = true WHERE tenant_id = $1";
    tables.0.execute(pause, &[&tenant(1)]).await.unwrap();
    let suspend = "INSERT INTO core.suspensions VALUES ($1, 'unpaid', now())";
    tables.0.execute(suspend, &[&tenant(2)]).await.unwrap();
    let due = tables.due(world.clock.now(), 10, 10).await;
    let others: Vec<Uuid> = due
        .into_iter()
        .map(|(tenant, _)| tenant)
        .filter(|id| *id != world.tenant_id.uuid())
        .collect();
    assert_eq!(others, [tenant(3)]);
}

#[tokio::test]
async fn a_tenant_with_many_waiting_syncs_has_two_with_the_workers_and_the_others_come_between() {
    let world = World::start(seller()).await;
    let tables = Tables::of(&world).await;
    let now = world.clock.now();
    let many: Vec<Uuid> = (0..6).map(|number| Uuid::from_u128(0x100 + number)).collect();
    for cabinet in &many {
        tables.cabinet(tenant(1), *cabinet, now).await;
    }
    let few = Uuid::from_u128(0x200);
    tables.cabinet(tenant(2), few, now).await;
    world.policy.round().await.unwrap();
    let mut all = many.clone();
    all.push(few);
    tables.requested(&all, now).await;
    world.policy.round().await.unwrap();
    let mut queued = Vec::new();
    while let Some(job) = world.queued().await {
        queued.push(job.cabinet_id.uuid());
    }
    assert_eq!(
        queued.iter().filter(|id| many.contains(id)).count(),
        2,
        "{queued:?}"
    );
    assert!(queued.contains(&few));
    assert!(
        queued.iter().position(|id| *id == few).unwrap() < 2,
        "it came before the second of the other one"
    );
    // What has ended makes room for the next.
    let done: Vec<Uuid> = queued
        .iter()
        .copied()
        .filter(|id| many.contains(id))
        .take(1)
        .collect();
    tables.ended(&done, now).await;
    world.policy.round().await.unwrap();
    let next = world.queued().await.unwrap().cabinet_id.uuid();
    assert!(many.contains(&next) && !queued.contains(&next));
    assert_eq!(world.queued().await, None);
}
