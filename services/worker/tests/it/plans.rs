//! Cabinets and products follow the plan through the policies and a real sync, and what was used is counted
//! once.

use std::collections::BTreeMap;

use application::domain::plans::{Allowance, Plans};
use billing::{MonthUsage, Usage};
use chrono::TimeDelta;
use events::cabinet::Marketplace;
use events::ids::CabinetId;
use events::subscription::Plan;
use worker::paused::{self, Paused};
use worker::plans::PlanPolicy;

use crate::world::{World, api_app, seller};

/// Free keeps 10 products of one cabinet up to date; each better plan much more.
fn plans() -> Plans {
    let rows = [(10, Some(1)), (1_000, Some(1)), (1_000, Some(2)), (1_000, None)];
    let allowances: BTreeMap<Plan, Allowance> = Plan::ALL
        .into_iter()
        .zip(rows)
        .map(|(plan, (products, cabinets))| {
            let allowance = Allowance {
                price_cents: 0,
                sync_interval_minutes: 30,
                products: Some(products),
                cabinets,
                api_calls: None,
                webhooks: false,
                history_days: None,
            };
            (plan, allowance)
        })
        .collect();
    Plans::new(allowances, Plan::Free, 5).unwrap()
}

/// A seller of an installation that sells plans.
async fn selling() -> World {
    let mut world = World::start(seller()).await;
    world.syncs.app = world.app.clone().selling(plans());
    world.policy.plans = plans();
    world
}

impl World {
    /// The tenant's plan changes, as an append says it.
    async fn plan_becomes(&self, plan: &str) {
        let changed = "INSERT INTO core.tenant_terms AS t (tenant_id, plan, changes) VALUES ($1, $2, 1) \
             ON CONFLICT (tenant_id) DO UPDATE \
                SET plan = EXCLUDED.plan, reschedule = true, changes = t.changes + 1";
        let admin = support::connect(self.database_url()).await;
        admin
            .execute(changed, &[&self.tenant_id.uuid(), &plan])
            .await
            .unwrap();
        let policy = PlanPolicy {
            app: self.syncs.app.clone(),
            clock: self.clock.clone(),
        };
        assert_eq!(policy.round().await.unwrap(), 1);
        assert_eq!(policy.round().await.unwrap(), 0, "it is compared once");
        self.take_up().await;
    }

    async fn take_up(&self) {
        while self.policy.round().await.unwrap() > 0 {}
    }

    /// Cabinets whose syncs the scheduler is told to request in a day.
    async fn due_tomorrow(&self) -> Vec<CabinetId> {
        let admin = support::connect(self.database_url()).await;
        // A cabinet that was never synced is due when it is recorded, by the database's own clock.
        let sql = "SELECT cabinet_id FROM core.next_due_cabinets(now() + interval '1 day', 10, 10)";
        let rows = admin.query(sql, &[]).await.unwrap();
        rows.iter().map(|row| CabinetId(row.get(0))).collect()
    }

    /// What was used in the month in which events are recorded: that of the database's own clock.
    async fn used(&self) -> MonthUsage {
        let admin = support::connect(self.database_url()).await;
        let now = admin.query_one("SELECT now()", &[]).await.unwrap().get(0);
        let usage = Usage::new(self.policy.pool.clone());
        usage.month(self.tenant_id, now).await.unwrap()
    }
}

#[tokio::test]
async fn the_newest_cabinet_is_not_due_while_the_plan_allows_one_and_is_due_again_with_a_better_plan() {
    let world = selling().await;
    let another = world.simulator.personal_token(uuid::Uuid::from_u128(0xa2));
    let api = api_app(&world).await;
    let newest = world.connect(&api, Marketplace::Wildberries, &another).await;
    world.plan_becomes("free").await;
    assert_eq!(world.due_tomorrow().await, [world.cabinet_id]);
    let by_plan = Paused {
        plan: 1,
        ..Paused::default()
    };
    assert_eq!(paused::count(&world.policy.pool).await.unwrap(), by_plan);
    world.plan_becomes("pro").await;
    let mut due = world.due_tomorrow().await;
    due.sort();
    let mut both = [world.cabinet_id, newest];
    both.sort();
    assert_eq!(due, both);
    assert_eq!(
        paused::count(&world.policy.pool).await.unwrap(),
        Paused::default()
    );
}

#[tokio::test]
async fn a_sync_under_a_small_plan_lists_everything_and_counts_the_oldest_until_a_better_plan_comes() {
    let world = selling().await;
    world.plan_becomes("free").await;
    world.sync(true).await;
    let counted = async || {
        let mut counted = 0;
        for truth in world.truth() {
            counted += u32::from(!world.product(truth.nm_id).await.state.0.levels.is_empty());
        }
        counted
    };
    assert!(counted().await <= 10);
    let listed = world.app.places.products(world.tenant_id).await.unwrap().listed;
    assert_eq!(listed, 40);
    world.later(TimeDelta::hours(3));
    world.sync_anew(true).await;
    assert!(counted().await <= 10);
    world.plan_becomes("pro").await;
    world.sync_anew(true).await;
    world.assert_equals_truth().await;
}

#[tokio::test]
async fn a_completed_sync_is_counted_in_its_month_once_with_the_most_there_was() {
    let world = selling().await;
    world.plan_becomes("pro").await;
    let before = world.used().await;
    assert_eq!((before.syncs, before.cabinets, before.products), (0, 1, 0));
    world.sync(true).await;
    world.take_up().await;
    let after = MonthUsage {
        api_calls: 0,
        syncs: 1,
        products: 40,
        cabinets: 1,
    };
    assert_eq!(world.used().await, after);
    world.take_up().await;
    assert_eq!(world.used().await, after);
    world.sync_anew(true).await;
    world.take_up().await;
    assert_eq!(world.used().await, MonthUsage { syncs: 2, ..after });
}
