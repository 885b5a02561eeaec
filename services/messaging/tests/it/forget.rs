//! What the broker keeps of an erased tenant, and of nobody else, goes.

use bytes::Bytes;
use messaging::{Cache, DeadLetters, Enqueued, WorkQueue, forget};

const ANNA: &str = "00000000-0000-0000-0000-00000000000a";
const BORIS: &str = "00000000-0000-0000-0000-00000000000b";
const HERS: &str = "00000000-0000-0000-0000-0000000000ca";
const HIS: &str = "00000000-0000-0000-0000-0000000000cb";

#[tokio::test]
async fn jobs_and_kept_answers_of_an_erased_tenant_go_and_others_stay() {
    let (_server, broker) = crate::prepared().await;
    let (queue, cache) = (WorkQueue::new(&broker), Cache::new(&broker));
    for (tenant, cabinet) in [(ANNA, HERS), (BORIS, HIS)] {
        let subject = format!("work.sync.{tenant}.{cabinet}");
        queue
            .publish(&subject, Bytes::from_static(b"{}"), &subject)
            .await
            .unwrap();
        cache
            .put(&format!("{cabinet}.stocks"), Bytes::from_static(b"x"))
            .await
            .unwrap();
    }
    let gone = forget::tenant(&broker, ANNA, &[HERS.to_owned()]).await.unwrap();
    assert_eq!(gone, 2);
    assert_eq!(cache.get(&format!("{HERS}.stocks")).await.unwrap(), None);
    assert!(cache.get(&format!("{HIS}.stocks")).await.unwrap().is_some());
    let again = |tenant, cabinet| format!("work.sync.{tenant}.{cabinet}");
    let free = queue
        .publish(&again(ANNA, HERS), Bytes::new(), "second")
        .await
        .unwrap();
    let taken = queue
        .publish(&again(BORIS, HIS), Bytes::new(), "third")
        .await
        .unwrap();
    assert_eq!((free, taken), (Enqueued::Published, Enqueued::AlreadyWaiting));
    assert_eq!(DeadLetters::new(&broker).list(0, 10).await.unwrap(), []);
    assert_eq!(
        forget::tenant(&broker, ANNA, &[HERS.to_owned()]).await.unwrap(),
        1,
        "the second job"
    );
}
