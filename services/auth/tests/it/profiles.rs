//! Names.

use auth::profiles::Subject;

use super::{ANNA, BORIS, world};

#[tokio::test]
async fn a_name_is_kept_per_subject_and_seen_by_its_tenant_only() {
    let world = world().await;
    let id = ANNA.0.uuid();
    world
        .profiles
        .set(ANNA.0, Subject::Tenant, id, "ИП Анна")
        .await
        .unwrap();
    world
        .profiles
        .set(ANNA.0, Subject::Tenant, id, "ООО Анна")
        .await
        .unwrap();
    world
        .profiles
        .set(ANNA.0, Subject::Cabinet, id, "Главный")
        .await
        .unwrap();
    let names = world.profiles.all(ANNA.0, Subject::Tenant).await.unwrap();
    assert_eq!((names.len(), names[&id].as_str()), (1, "ООО Анна"));
    assert!(
        world
            .profiles
            .all(BORIS.0, Subject::Tenant)
            .await
            .unwrap()
            .is_empty()
    );
}
