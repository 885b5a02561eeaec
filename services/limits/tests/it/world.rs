//! A place in memory that can be slow, lose answers or be away, and limiters over it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use limits::{Limiter, Shared, Store, StoreError, Table};

/// Counts with revisions, as the bucket keeps them.
#[derive(Default)]
pub(crate) struct Place {
    values: Mutex<HashMap<String, (Bytes, u64)>>,
    pub(crate) away: AtomicBool,
    pub(crate) calls: AtomicUsize,
}

impl Place {
    async fn visit(&self) -> Result<(), StoreError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        // Lets the others in between, as a network would.
        tokio::task::yield_now().await;
        if self.away.load(Ordering::Relaxed) {
            return Err(StoreError("away".into()));
        }
        Ok(())
    }
}

impl Store for Place {
    fn get<'a>(&'a self, key: &'a str) -> Shared<'a, Option<(Bytes, u64)>> {
        Box::pin(async move {
            self.visit().await?;
            Ok(self.values.lock().unwrap().get(key).cloned())
        })
    }

    fn put_if<'a>(&'a self, key: &'a str, value: Bytes, revision: Option<u64>) -> Shared<'a, Option<u64>> {
        Box::pin(async move {
            self.visit().await?;
            let mut values = self.values.lock().unwrap();
            let now = values.get(key).map(|(_, revision)| *revision);
            if now != revision {
                return Ok(None);
            }
            let next = now.unwrap_or(0) + 1;
            values.insert(key.to_owned(), (value, next));
            Ok(Some(next))
        })
    }
}

pub(crate) fn table(requests: u32) -> Table {
    Table::parse(&format!(
        "default_plan = \"p\"\n\
         [address]\nrequests = {requests}\nwindow_seconds = 10\n\
         [user]\nrequests = {requests}\nwindow_seconds = 10\n\
         [plan.p]\nrequests = {requests}\nwindow_seconds = 10\n\
         [plan.big]\nrequests = {}\nwindow_seconds = 10\n",
        requests * 2
    ))
    .unwrap()
}

pub(crate) fn replica(place: &Arc<Place>, requests: u32) -> Limiter {
    let place: Arc<dyn Store> = place.clone();
    Limiter::new(place, table(requests), b"salt".to_vec(), Arc::new(|_| {}))
}
