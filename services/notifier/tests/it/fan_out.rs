//! Who is notified of what, and when.

use application::domain::notice::NoticeKind;
use chrono::TimeDelta;
use events::alert::AlertCause;
use notifications::{Channel, FanOut, Preferences, QuietHours, Settings, Snooze, Snoozed, Snoozes};

use crate::world::{World, low, low_by, out, product_of, recovered};

#[tokio::test]
async fn a_low_product_is_told_once_however_often_the_log_is_read() {
    let world = World::start().await;
    let anna = world.owner("anna").await;
    world.alert(&anna, 1, low()).await;
    world.fan_out().await;
    let sql = "UPDATE core.notice_work SET position = 0 WHERE work = 'fan_out'";
    world.admin.execute(sql, &[]).await.unwrap();
    world.fan_out().await;
    world.pass(10);
    world.send_all().await;
    assert_eq!(world.states(&anna).await, ["stock.low delivered"]);
    let got = anna.got();
    assert_eq!(got.len(), 1, "{got:?}");
    assert!(got[0].contains("Заканчивается: 7001"), "{got:?}");
}

#[tokio::test]
async fn what_recovers_before_it_was_told_is_not_told_at_all() {
    let world = World::start().await;
    let anna = world.owner("anna").await;
    world.alert(&anna, 1, low()).await;
    world.alert(&anna, 1, out()).await;
    world.fan_out().await;
    world.alert(&anna, 1, recovered()).await;
    world.fan_out().await;
    world.pass(10);
    world.send_all().await;
    assert_eq!(anna.got(), Vec::<String>::new());
    let expected = [
        "stock.low left_out superseded",
        "stock.out left_out superseded",
        "stock.recovered left_out nothing_to_end",
    ];
    assert_eq!(world.states(&anna).await, expected);
}

#[tokio::test]
async fn what_recovers_after_it_was_told_is_told_too() {
    let world = World::start().await;
    let anna = world.owner("anna").await;
    world.alert(&anna, 1, low()).await;
    world.fan_out().await;
    world.pass(10);
    world.send_all().await;
    // The out is overtaken before it is sent, but the low was told.
    world.alert(&anna, 1, out()).await;
    world.alert(&anna, 1, recovered()).await;
    world.fan_out().await;
    world.pass(10);
    world.send_all().await;
    let got = anna.got();
    assert_eq!(got.len(), 2, "{got:?}");
    assert!(got[1].contains("Снова достаточно"), "{got:?}");
}

#[tokio::test]
async fn what_comes_in_quiet_hours_is_one_digest_at_their_end() {
    let world = World::start().await;
    let anna = world.owner("anna").await;
    // 09:00 UTC is noon in Moscow.
    let wanted = Preferences {
        quiet: Some(QuietHours {
            from: 11 * 60,
            until: 14 * 60,
        }),
        ..Preferences::default()
    };
    let settings = Settings::new(world.api.store.pool().clone());
    settings
        .put(anna.tenant, anna.user, &wanted, None)
        .await
        .unwrap()
        .unwrap();
    for product in 1..=5 {
        world.alert(&anna, product, low()).await;
        world.fan_out().await;
        world.pass(600);
    }
    world.send_all().await;
    assert_eq!(anna.got(), Vec::<String>::new());
    world.pass(3 * 3600);
    world.send_all().await;
    let got = anna.got();
    assert_eq!(got.len(), 1, "{got:?}");
    assert!(got[0].starts_with("5\u{a0}уведомлений"), "{got:?}");
}

#[tokio::test]
async fn who_changes_the_choice_is_planned_anew() {
    let world = World::start().await;
    let anna = world.owner("anna").await;
    let settings = Settings::new(world.api.store.pool().clone());
    let mut wanted = Preferences {
        digest_hour: Some(18),
        ..Preferences::default()
    };
    let stored = settings
        .put(anna.tenant, anna.user, &wanted, None)
        .await
        .unwrap()
        .unwrap();
    world.alert(&anna, 1, low()).await;
    world.alert(&anna, 2, out()).await;
    world.fan_out().await;
    wanted.digest_hour = None;
    let kinds = wanted.choices.entry(Channel::Telegram).or_default();
    kinds.insert(NoticeKind::StockLow, false);
    let version = Some(stored.version);
    assert!(
        settings
            .put(anna.tenant, anna.user, &wanted, version)
            .await
            .unwrap()
            .is_some()
    );
    assert!(
        settings
            .put(anna.tenant, anna.user, &wanted, version)
            .await
            .unwrap()
            .is_none()
    );
    world.fan_out().await;
    world.pass(10);
    world.send_all().await;
    assert_eq!(
        world.states(&anna).await,
        ["stock.low left_out unwanted", "stock.out delivered"]
    );
}

#[tokio::test]
async fn a_snoozed_product_is_left_out_and_the_others_are_told() {
    let world = World::start().await;
    let anna = world.owner("anna").await;
    let snoozes = Snoozes::new(world.api.store.pool().clone());
    let snooze = Snooze {
        id: world.ids.next(),
        what: Snoozed::Product(product_of(&anna, 1)),
        until: world.clock.now() + TimeDelta::hours(1),
    };
    snoozes.put(anna.tenant, anna.user, snooze).await.unwrap();
    world.alert(&anna, 1, low()).await;
    world.alert(&anna, 2, low()).await;
    world.fan_out().await;
    world.pass(10);
    world.send_all().await;
    assert_eq!(
        world.states(&anna).await,
        ["stock.low left_out snoozed", "stock.low delivered"]
    );
}

#[tokio::test]
async fn a_sync_that_makes_three_thousand_products_low_is_one_message() {
    let world = World::start().await;
    let anna = world.owner("anna").await;
    for product in 0..3_000 {
        let cause = if product % 2 == 0 {
            AlertCause::Sync
        } else {
            AlertCause::FirstSync
        };
        world.alert(&anna, product, low_by(cause)).await;
    }
    world.fan_out().await;
    world.pass(10);
    world.send_all().await;
    let got = anna.got();
    assert_eq!(got.len(), 1, "{}", got.len());
    assert!(
        got[0].contains("Заканчивается: 3000") && got[0].contains("… и ещё 2980"),
        "{got:?}"
    );
}

#[tokio::test]
async fn nothing_stays_of_a_member_who_is_erased() {
    let world = World::start().await;
    let anna = world.owner("anna").await;
    world.alert(&anna, 1, low()).await;
    world.fan_out().await;
    let sql = "DELETE FROM core.accounts WHERE user_id = $1";
    world.admin.execute(sql, &[&anna.user.uuid()]).await.unwrap();
    world.alert(&anna, 2, low()).await;
    world.fan_out().await;
    assert_eq!(world.states(&anna).await, Vec::<String>::new());
    let sql = "SELECT count(*) FROM core.telegram_chats";
    assert_eq!(world.admin.query_one(sql, &[]).await.unwrap().get::<_, i64>(0), 0);
}

#[tokio::test]
async fn what_ended_long_ago_is_destroyed() {
    let world = World::start().await;
    let anna = world.owner("anna").await;
    world.alert(&anna, 1, low()).await;
    world.fan_out().await;
    world.pass(10);
    world.send_all().await;
    let tables = FanOut::new(world.pool.clone());
    let ended = world.clock.now();
    assert_eq!(tables.purge(ended, 10).await.unwrap(), 0);
    let after = ended + TimeDelta::seconds(1);
    assert_eq!(tables.purge(after, 10).await.unwrap(), 1);
    assert_eq!(world.states(&anna).await, Vec::<String>::new());
}
