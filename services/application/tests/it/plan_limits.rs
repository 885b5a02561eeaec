//! What a plan allows, at its border: the last cabinet, product and second that it allows, and the first that
//! it does not. A worse plan takes nothing away, and a better one brings everything back.

use std::collections::BTreeMap;

use application::change_schedule::{self, Wanted};
use application::follow_plan::{self, Followed};
use application::record_observations::Recorded;
use application::{
    App, Context, allowance, connect_cabinet, disconnect_cabinet, request_sync, subscriptions,
};
use database::Role;
use domain::cabinet::Cabinet;
use domain::plans::{Allowance, Limit, PlanLimit, Plans};
use domain::product::{Card, Product};
use event_store::Loaded;
use events::cabinet::Marketplace;
use events::ids::{CabinetId, ProductId, TenantId, UserId};
use events::subscription::{Basis, Contract, Plan, SubscriptionStatus};
use events::sync::Trigger;
use secrecy::SecretString;

use crate::observations::{observations, record};
use crate::world::{SCOPES, World, at, context, token};

/// The limits that are sold, so that a border is the customer's border.
fn plans() -> Plans {
    let rows = [
        (1440, 100, Some(1)),
        (120, 100, Some(1)),
        (30, 1_000, Some(2)),
        (10, 10_000, None),
    ];
    let allowances: BTreeMap<Plan, Allowance> = Plan::ALL
        .into_iter()
        .zip(rows)
        .map(|(plan, (sync_interval_minutes, products, cabinets))| {
            let allowance = Allowance {
                price_cents: 0,
                sync_interval_minutes,
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

/// A tenant of an installation that sells plans.
struct Shop {
    world: World,
    api: App,
    worker: App,
    tenant: TenantId,
    owner: UserId,
}

impl Shop {
    async fn with(plan: Plan) -> Self {
        let world = World::new().await;
        let registered = world.register("seller@example.com").await.unwrap();
        let shop = Self {
            api: world.app(Role::Api).selling(plans()),
            worker: world.app(Role::Worker).selling(plans()),
            tenant: registered.tenant_id,
            owner: registered.user_id,
            world,
        };
        shop.has(plan).await;
        shop
    }

    /// From now on the tenant has this plan, and its cabinets follow.
    async fn has(&self, plan: Plan) -> Vec<Followed> {
        let contract = Contract {
            plan,
            status: SubscriptionStatus::Active,
            period_end: None,
            cancel_at: None,
            basis: Basis::Grant,
            reference: None,
            trial_end: None,
            grace_until: None,
            note: None,
        };
        subscriptions::grant(&self.api, &context(self.tenant), self.owner, contract)
            .await
            .unwrap();
        self.follow().await
    }

    /// What the policy does when it is woken.
    async fn follow(&self) -> Vec<Followed> {
        let mut followed = Vec::new();
        for tenant in self.worker.places.uncompared(10).await.unwrap() {
            let context = context(tenant.tenant_id);
            followed.push(
                follow_plan::execute(&self.worker, &context, &tenant)
                    .await
                    .unwrap(),
            );
            self.worker
                .places
                .compared(tenant.tenant_id, tenant.change)
                .await
                .unwrap();
        }
        followed
    }

    async fn connect_as(&self, context: &Context, account: u32) -> Result<CabinetId, connect_cabinet::Error> {
        let secret = token(&format!("seller-{account}"), 3, SCOPES, at(60 * 24 * 180));
        let (secret, marketplace) = (SecretString::from(secret), Marketplace::Wildberries);
        connect_cabinet::execute(&self.api, context, marketplace, &secret, None)
            .await
            .map(|connected| connected.cabinet_id)
    }

    async fn connect(&self, account: u32) -> Result<CabinetId, connect_cabinet::Error> {
        self.connect_as(&context(self.tenant), account).await
    }

    /// Cabinets of so many accounts, the oldest first.
    async fn cabinets(&self, count: u32) -> Vec<CabinetId> {
        let mut cabinets = Vec::new();
        for account in 1..=count {
            cabinets.push(self.connect(account).await.unwrap());
        }
        self.follow().await;
        cabinets
    }

    async fn cabinet(&self, id: CabinetId) -> Cabinet {
        let loaded = self
            .api
            .states
            .load::<application::Folded<Cabinet>>(self.tenant, id.uuid());
        loaded.await.unwrap().state.0
    }

    /// Which of these rest because of the plan.
    async fn resting(&self, cabinets: &[CabinetId]) -> Vec<bool> {
        let mut resting = Vec::new();
        for id in cabinets {
            resting.push(self.cabinet(*id).await.paused_by_plan);
        }
        resting
    }

    async fn interval(&self, cabinet: CabinetId, seconds: u32) -> Result<(), change_schedule::Error> {
        let wanted = Wanted {
            interval_seconds: Some(seconds),
            paused: false,
        };
        change_schedule::execute(&self.api, &context(self.tenant), cabinet, wanted)
            .await
            .map(drop)
    }

    /// A sync that sees the articles 1 to `count`, each with so many units.
    async fn sync(&self, cabinet: CabinetId, count: i64, units: i64) -> Recorded {
        let seen = observations(cabinet, count, units);
        record(&self.worker, &context(self.tenant), &seen).await
    }

    async fn product(&self, cabinet: CabinetId, nm_id: i64) -> Product {
        let id = ProductId::of(cabinet, nm_id).uuid();
        let loaded: Loaded<application::Folded<Product>> =
            self.api.states.load(self.tenant, id).await.unwrap();
        loaded.state.0
    }

    /// Articles from 1 to `count` of which units are known.
    async fn with_numbers(&self, cabinet: CabinetId, count: i64) -> Vec<i64> {
        let mut known = Vec::new();
        for nm_id in 1..=count {
            if !self.product(cabinet, nm_id).await.levels.is_empty() {
                known.push(nm_id);
            }
        }
        known
    }
}

fn limit_of(error: &connect_cabinet::Error) -> PlanLimit {
    match error {
        connect_cabinet::Error::Allowance(allowance::Error::Limit(limit)) => *limit,
        error => panic!("{error:?}"),
    }
}

#[tokio::test]
async fn each_plan_takes_as_many_cabinets_as_it_allows_and_names_the_plan_that_takes_more() {
    let next = [Some(Plan::Pro), Some(Plan::Pro), Some(Plan::Enterprise), None];
    for (plan, lifted_by) in Plan::ALL.into_iter().zip(next) {
        let shop = Shop::with(plan).await;
        let allowed = plans().allowance(Some(plan)).unwrap().cabinets;
        let Some(allowed) = allowed else {
            assert_eq!(shop.cabinets(4).await.len(), 4, "enterprise takes any number");
            continue;
        };
        shop.cabinets(allowed).await;
        let refused = shop.connect(allowed + 1).await.unwrap_err();
        let expected = PlanLimit {
            limit: Limit::Cabinets,
            used: allowed.into(),
            allowed: allowed.into(),
            plan,
            lifted_by,
        };
        assert_eq!(limit_of(&refused), expected);
        let left = support::connect(&shop.world.database.url)
            .await
            .query_one("SELECT count(*) FROM core.credentials", &[])
            .await
            .unwrap();
        assert_eq!(
            left.get::<_, i64>(0),
            i64::from(allowed),
            "the refused key is not kept"
        );
    }
}

#[tokio::test]
async fn of_two_cabinets_connected_at_once_one_finds_the_last_place() {
    let shop = Shop::with(Plan::Starter).await;
    let (one, other) = tokio::join!(shop.connect(1), shop.connect(2));
    let (taken, refused) = match (one, other) {
        (Ok(taken), Err(refused)) | (Err(refused), Ok(taken)) => (taken, refused),
        both => panic!("{both:?}"),
    };
    assert_eq!(limit_of(&refused).limit, Limit::Cabinets);
    let connected = shop.api.places.cabinets(shop.tenant).await.unwrap();
    assert_eq!(
        connected.iter().map(|place| place.cabinet_id).collect::<Vec<_>>(),
        [taken]
    );
}

#[tokio::test]
async fn a_former_cabinet_comes_back_only_where_there_is_room_and_a_repeated_command_is_not_refused() {
    let shop = Shop::with(Plan::Starter).await;
    let first = context(shop.tenant);
    let former = shop.connect_as(&first, 1).await.unwrap();
    assert_eq!(
        shop.connect_as(&first, 1).await.unwrap(),
        former,
        "the same command"
    );
    disconnect_cabinet::execute(&shop.api, &context(shop.tenant), former)
        .await
        .unwrap();
    let second = shop.connect(2).await.unwrap();
    let refused = shop.connect(1).await.unwrap_err();
    assert_eq!(limit_of(&refused).used, 1);
    disconnect_cabinet::execute(&shop.api, &context(shop.tenant), second)
        .await
        .unwrap();
    assert_eq!(shop.connect(1).await.unwrap(), former);
}

#[tokio::test]
async fn each_plan_takes_its_shortest_interval_and_nothing_shorter() {
    let next = [Plan::Starter, Plan::Pro, Plan::Enterprise];
    for (plan, lifted_by) in Plan::ALL
        .into_iter()
        .zip(next.map(Some).into_iter().chain([None]))
    {
        let shop = Shop::with(plan).await;
        let cabinet = shop.connect(1).await.unwrap();
        let shortest = plans().shortest_seconds(Some(plan));
        shop.interval(cabinet, shortest).await.unwrap();
        let refused = shop.interval(cabinet, shortest - 1).await.unwrap_err();
        let change_schedule::Error::Limit(limit) = refused else {
            panic!("{refused:?}")
        };
        let expected = PlanLimit {
            limit: Limit::SyncInterval,
            used: u64::from(shortest) - 1,
            allowed: shortest.into(),
            plan,
            lifted_by,
        };
        assert_eq!(limit, expected);
    }
}

#[tokio::test]
async fn a_worse_plan_pauses_the_newest_cabinets_first_and_a_better_one_resumes_the_oldest_first() {
    let shop = Shop::with(Plan::Enterprise).await;
    let cabinets = shop.cabinets(4).await;
    let before = shop.world.log().await.len();
    let followed = shop.has(Plan::Starter).await;
    assert_eq!(
        followed,
        [Followed {
            paused: 3,
            resumed: 0
        }]
    );
    assert_eq!(shop.resting(&cabinets).await, [false, true, true, true]);
    shop.has(Plan::Pro).await;
    assert_eq!(shop.resting(&cabinets).await, [false, false, true, true]);
    shop.has(Plan::Enterprise).await;
    assert_eq!(shop.resting(&cabinets).await, [false; 4]);
    let order: Vec<(String, usize)> = shop.world.log().await[before..]
        .iter()
        .filter(|event| event.event_type.starts_with("cabinet_"))
        .map(|event| {
            let rank = cabinets.iter().position(|id| id.uuid() == event.stream_id);
            (event.event_type.clone(), rank.unwrap())
        })
        .collect();
    let told = |event: &str, rank| (event.to_owned(), rank);
    let (paused, resumed) = ("cabinet_paused", "cabinet_resumed");
    assert_eq!(
        order,
        [
            told(paused, 3),
            told(paused, 2),
            told(paused, 1),
            told(resumed, 1),
            told(resumed, 2),
            told(resumed, 3)
        ]
    );
    assert_eq!(shop.follow().await, [], "nothing is left to compare");
}

#[tokio::test]
async fn a_persons_pause_outlives_the_plans_and_a_cabinet_that_left_makes_room() {
    let shop = Shop::with(Plan::Pro).await;
    let cabinets = shop.cabinets(2).await;
    let rest = Wanted {
        interval_seconds: None,
        paused: true,
    };
    change_schedule::execute(&shop.api, &context(shop.tenant), cabinets[1], rest)
        .await
        .unwrap();
    shop.has(Plan::Starter).await;
    let newest = shop.cabinet(cabinets[1]).await;
    assert!(newest.paused && newest.paused_by_plan);
    disconnect_cabinet::execute(&shop.api, &context(shop.tenant), cabinets[0])
        .await
        .unwrap();
    assert_eq!(
        shop.follow().await,
        [Followed {
            paused: 0,
            resumed: 1
        }]
    );
    let newest = shop.cabinet(cabinets[1]).await;
    assert!(
        newest.paused && !newest.paused_by_plan,
        "what a person wants stays"
    );
}

#[tokio::test]
async fn a_cabinet_that_rests_because_of_the_plan_is_not_synced_by_hand_either() {
    let shop = Shop::with(Plan::Pro).await;
    let cabinets = shop.cabinets(2).await;
    shop.has(Plan::Starter).await;
    let sync = async |cabinet| {
        let context = context(shop.tenant);
        request_sync::execute(&shop.api, &context, cabinet, Trigger::Manual, false).await
    };
    sync(cabinets[0]).await.unwrap();
    let refused = sync(cabinets[1]).await.unwrap_err();
    let request_sync::Error::Allowance(allowance::Error::Limit(limit)) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(
        (limit.used, limit.allowed, limit.lifted_by),
        (2, 1, Some(Plan::Pro))
    );
    shop.has(Plan::Pro).await;
    sync(cabinets[1]).await.unwrap();
}

#[tokio::test]
async fn the_last_product_that_a_plan_allows_has_numbers_and_the_next_one_is_only_listed() {
    for (plan, allowed) in [(Plan::Free, 100), (Plan::Starter, 100), (Plan::Pro, 1_000)] {
        let shop = Shop::with(plan).await;
        let cabinet = shop.connect(1).await.unwrap();
        let recorded = shop.sync(cabinet, allowed + 1, 5).await;
        assert_eq!(recorded.beyond_plan, 1, "{plan:?}");
        let (last, next) = (
            shop.product(cabinet, allowed).await,
            shop.product(cabinet, allowed + 1).await,
        );
        assert_eq!(last.available(), 5 + allowed % 7);
        assert!(next.details.is_some() && next.levels.is_empty());
        // What is beyond stays beyond, and what is within goes on.
        let recorded = shop.sync(cabinet, allowed + 1, 6).await;
        assert_eq!(
            (recorded.changed, recorded.beyond_plan),
            (u64::try_from(allowed).unwrap(), 1)
        );
        assert!(shop.product(cabinet, allowed + 1).await.levels.is_empty());
    }
}

#[tokio::test]
async fn the_products_of_all_cabinets_share_the_limit_and_the_oldest_keep_their_numbers() {
    let shop = Shop::with(Plan::Pro).await;
    let cabinets = shop.cabinets(2).await;
    shop.sync(cabinets[0], 600, 5).await;
    let recorded = shop.sync(cabinets[1], 600, 5).await;
    assert_eq!(recorded.beyond_plan, 200);
    assert_eq!(shop.with_numbers(cabinets[1], 600).await.last(), Some(&400));
    let count = shop.api.places.products(shop.tenant).await.unwrap();
    assert_eq!((count.listed, count.of_active_cabinets), (1_200, 1_200));
    // Products of a cabinet that rests take no place from those of one that works.
    shop.has(Plan::Starter).await;
    assert_eq!(shop.sync(cabinets[0], 600, 6).await.changed, 100);
    let count = shop.api.places.products(shop.tenant).await.unwrap();
    assert_eq!((count.listed, count.of_active_cabinets), (1_200, 600));
}

#[tokio::test]
async fn a_product_that_leaves_the_catalogue_makes_room_for_the_next_oldest() {
    let shop = Shop::with(Plan::Starter).await;
    let cabinet = shop.connect(1).await.unwrap();
    shop.sync(cabinet, 102, 5).await;
    let mut seen = observations(cabinet, 102, 6);
    for gone in [0, 101] {
        seen[gone].card = Card::Missing;
    }
    let again = async || record(&shop.worker, &context(shop.tenant), &seen).await;
    assert_eq!(again().await.beyond_plan, 1);
    assert!(shop.product(cabinet, 102).await.delisted, "beyond the plan, too");
    assert_eq!(again().await.beyond_plan, 0);
    assert_eq!(shop.product(cabinet, 101).await.available(), 6 + 101 % 7);
    // The first one is back in its old place, and the newest rests again with what was known of it.
    let recorded = shop.sync(cabinet, 101, 7).await;
    assert_eq!(
        (recorded.changed, recorded.beyond_plan),
        (101, 0),
        "in the sync that sees it come back"
    );
    let recorded = shop.sync(cabinet, 101, 8).await;
    assert_eq!((recorded.changed, recorded.beyond_plan), (100, 1));
    assert_eq!(shop.product(cabinet, 101).await.available(), 7 + 101 % 7);
}

#[tokio::test]
async fn after_a_worse_and_a_better_plan_and_a_sync_every_product_is_as_if_nothing_had_been() {
    let (downgraded, other) = (Shop::with(Plan::Pro).await, Shop::with(Plan::Pro).await);
    let cabinets = [
        downgraded.connect(1).await.unwrap(),
        other.connect(1).await.unwrap(),
    ];
    let both = [&downgraded, &other];
    for (shop, cabinet) in both.into_iter().zip(cabinets) {
        shop.sync(cabinet, 300, 5).await;
    }
    downgraded.has(Plan::Starter).await;
    let missed = downgraded.sync(cabinets[0], 310, 8).await;
    assert_eq!(
        (missed.changed, missed.beyond_plan),
        (110, 210),
        "100 updated, 10 listed"
    );
    other.sync(cabinets[1], 310, 8).await;
    assert_eq!(
        downgraded.product(cabinets[0], 101).await.available(),
        5 + 101 % 7
    );
    downgraded.has(Plan::Pro).await;
    for (shop, cabinet) in both.into_iter().zip(cabinets) {
        shop.sync(cabinet, 310, 9).await;
    }
    for nm_id in 1..=310 {
        let known =
            async |shop: &Shop, cabinet| serde_json::to_string(&shop.product(cabinet, nm_id).await).unwrap();
        let (had_less, had_all) = (
            known(&downgraded, cabinets[0]).await,
            known(&other, cabinets[1]).await,
        );
        assert_eq!(had_less, had_all, "article {nm_id}");
    }
}
