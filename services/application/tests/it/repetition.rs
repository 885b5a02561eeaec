//! A command that comes again is answered like the first time, whatever happened since.

use application::{App, Context, ExecuteError, Receipt};
use application::{
    change_schedule, connect_cabinet, disconnect_cabinet, link_sheet, rename_tenant, unlink_sheet,
};
use database::Role;
use domain::cabinet::CabinetRefusal;
use events::cabinet::Marketplace;
use events::ids::CabinetId;
use secrecy::SecretString;

use crate::world::{World, context, good_token, new_id, token};

fn as_repeated(first: &Receipt) -> Receipt {
    Receipt {
        duplicate: true,
        ..first.clone()
    }
}

fn wanted(seconds: u32) -> change_schedule::Wanted {
    change_schedule::Wanted {
        interval_seconds: Some(seconds),
        paused: false,
    }
}

async fn change(app: &App, context: &Context, cabinet: CabinetId, seconds: u32) -> Receipt {
    change_schedule::execute(app, context, cabinet, wanted(seconds))
        .await
        .unwrap()
}

#[tokio::test]
async fn a_command_is_answered_like_the_first_time_though_the_stream_went_on() {
    let world = World::new().await;
    let (tenant, cabinet) = world.seller().await;
    let (first, second) = (context(tenant), context(tenant));
    let told = change(&world.app, &first, cabinet, 600).await;
    assert_eq!((told.version, told.duplicate), (2, false));
    change(&world.app, &second, cabinet, 900).await;
    let before = world.log().await;
    // Without the memory of commands this would set 600 again.
    assert_eq!(change(&world.app, &first, cabinet, 600).await, as_repeated(&told));
    // Another process remembers it as well.
    let elsewhere = world.app(Role::Gateway);
    assert_eq!(change(&elsewhere, &first, cabinet, 600).await, as_repeated(&told));
    assert_eq!(world.log().await, before);
}

#[tokio::test]
async fn a_command_that_would_be_refused_by_now_is_answered_like_the_first_time() {
    let world = World::new().await;
    let (tenant, cabinet) = world.seller().await;
    let goodbye = context(tenant);
    let told = disconnect_cabinet::execute(&world.app, &goodbye, cabinet)
        .await
        .unwrap();
    let again = disconnect_cabinet::execute(&world.app, &goodbye, cabinet)
        .await
        .unwrap();
    assert_eq!(again, as_repeated(&told));
    let another = disconnect_cabinet::execute(&world.app, &context(tenant), cabinet).await;
    assert!(
        matches!(another, Err(ExecuteError::Refused(CabinetRefusal::NotConnected))),
        "{another:?}"
    );
}

#[tokio::test]
async fn connecting_a_cabinet_twice_with_one_command_id_gives_one_cabinet() {
    let world = World::new().await;
    let tenant = world.register("anna@example.com").await.unwrap().tenant_id;
    let context = context(tenant);
    let secret = SecretString::from(good_token());
    let connect = || {
        connect_cabinet::execute(
            &world.app,
            &context,
            Marketplace::Wildberries,
            &secret,
            Some("Один"),
        )
    };
    let first = connect().await.unwrap();
    let again = connect().await.unwrap();
    assert_eq!(again.cabinet_id, first.cabinet_id);
    assert_eq!(again.credential, first.credential);
    assert_eq!(again.receipt, as_repeated(&first.receipt));
    assert_eq!(
        world.happened().await,
        ["tenant_registered", "user_registered", "cabinet_connected"]
    );
}

#[tokio::test]
async fn linking_and_unlinking_a_sheet_are_remembered_too() {
    let world = World::new().await;
    let tenant = world.register("anna@example.com").await.unwrap().tenant_id;
    let (link, unlink) = (context(tenant), context(tenant));
    let input = || link_sheet::Input {
        spreadsheet_id: "1aBcD3fGh1jKlMn0pQrStUvWxYz".into(),
        worksheet: link_sheet::DEFAULT_WORKSHEET.into(),
        service_account: None,
    };
    let linked = link_sheet::execute(&world.app, &link, input()).await.unwrap();
    let unlinked = unlink_sheet::execute(&world.app, &unlink).await.unwrap();
    let again = link_sheet::execute(&world.app, &link, input()).await.unwrap();
    assert_eq!(
        again,
        as_repeated(&linked),
        "the repetition must not link it again"
    );
    assert_eq!(
        unlink_sheet::execute(&world.app, &unlink).await.unwrap(),
        as_repeated(&unlinked)
    );
    assert_eq!(world.happened().await[2..], ["sheet_linked", "sheet_unlinked"]);
}

#[tokio::test]
async fn a_key_that_nobody_uses_any_more_is_destroyed_also_when_it_is_given_again_by_a_repetition() {
    let world = World::new().await;
    let tenant = world.register("anna@example.com").await.unwrap().tenant_id;
    let admin = support::connect(&world.database.url).await;
    let sealed = async || {
        let counted = admin
            .query_one("SELECT count(*) FROM core.credentials", &[])
            .await;
        counted.unwrap().get::<_, i64>(0)
    };
    let (link, other, unlink) = (context(tenant), context(tenant), context(tenant));
    let input = |key: &str| link_sheet::Input {
        spreadsheet_id: "1aBcD3fGh1jKlMn0pQrStUvWxYz".into(),
        worksheet: link_sheet::DEFAULT_WORKSHEET.into(),
        service_account: Some(key.to_owned().into()),
    };
    link_sheet::execute(&world.app, &link, input("one"))
        .await
        .unwrap();
    assert_eq!(sealed().await, 1);
    link_sheet::execute(&world.app, &other, input("two"))
        .await
        .unwrap();
    assert_eq!(sealed().await, 1, "the first key was replaced");
    link_sheet::execute(&world.app, &link, input("one"))
        .await
        .unwrap();
    assert_eq!(sealed().await, 1, "what is repeated changes nothing");
    unlink_sheet::execute(&world.app, &unlink).await.unwrap();
    assert_eq!(sealed().await, 0);
    link_sheet::execute(&world.app, &other, input("two"))
        .await
        .unwrap();
    assert_eq!(sealed().await, 0);

    let (tenant, cabinet) = world.seller().await;
    assert_eq!(sealed().await, 1);
    disconnect_cabinet::execute(&world.app, &context(tenant), cabinet)
        .await
        .unwrap();
    assert_eq!(sealed().await, 0);
}

#[tokio::test]
async fn racing_commands_on_one_stream_all_find_their_place() {
    let world = World::new().await;
    let (tenant, cabinet) = world.seller().await;
    let elsewhere = world.app(Role::Gateway);
    let mut racing = Vec::new();
    for number in 0..12_u32 {
        let app = if number % 2 == 0 {
            world.app.clone()
        } else {
            elsewhere.clone()
        };
        racing.push(tokio::spawn(async move {
            change(&app, &context(tenant), cabinet, 600 + number)
                .await
                .version
        }));
    }
    let mut versions = Vec::new();
    for racer in racing {
        versions.push(racer.await.unwrap());
    }
    versions.sort_unstable();
    assert_eq!(versions, (2..=13).collect::<Vec<i64>>());
}

#[tokio::test]
async fn a_stranger_finds_no_cabinet_and_leaves_nothing() {
    let world = World::new().await;
    let (_, cabinet) = world.seller().await;
    let stranger = world.register("boris@example.com").await.unwrap().tenant_id;
    let before = world.log().await;
    for cabinet in [cabinet, CabinetId(new_id())] {
        let answer = change_schedule::execute(&world.app, &context(stranger), cabinet, wanted(600)).await;
        assert!(
            matches!(
                answer,
                Err(change_schedule::Error::Execute(ExecuteError::Refused(
                    CabinetRefusal::NotConnected
                )))
            ),
            "{answer:?}"
        );
        let secret = SecretString::from(token(
            "seller-2",
            3,
            crate::world::SCOPES,
            crate::world::at(9_999),
        ));
        let answer =
            application::replace_credential::execute(&world.app, &context(stranger), cabinet, &secret).await;
        assert!(answer.is_err(), "{answer:?}");
    }
    assert_eq!(world.log().await, before);
}

#[tokio::test]
async fn renaming_a_business_leaves_its_name_out_of_the_log() {
    let world = World::new().await;
    let (tenant, _) = world.seller().await;
    let context = context(tenant);
    let told = rename_tenant::execute(&world.app, &context, "ООО «Новое имя»")
        .await
        .unwrap();
    let again = rename_tenant::execute(&world.app, &context, "ООО «Новое имя»")
        .await
        .unwrap();
    assert_eq!(again, as_repeated(&told));
    let log = format!("{:?}", world.log().await);
    assert!(log.contains("tenant_renamed") && !log.contains("Новое имя"));
}
