//! Keeps the ids of unfinished background reports in the broker, so that a worker that was started anew goes
//! on with them.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use connectors::wildberries::PendingReports;
use messaging::{Broker, Bucket};

/// How long a sync waits for the broker before it goes on without.
const PATIENCE: Duration = Duration::from_secs(2);

/// The bucket `pending_reports`.
#[derive(Debug)]
pub struct KeptReports {
    bucket: Bucket,
}

impl KeptReports {
    /// Over a link.
    #[must_use]
    pub fn new(broker: &Broker) -> Self {
        Self {
            bucket: Bucket::pending_reports(broker),
        }
    }

    async fn write(&self, key: &str, task: Option<&str>) -> Result<(), messaging::BucketError> {
        match task {
            Some(task) => self.bucket.put(key, task.to_owned().into()).await.map(drop),
            None => self.bucket.delete(key).await,
        }
    }
}

impl PendingReports for KeptReports {
    fn find<'a>(&'a self, key: &'a str) -> Pin<Box<dyn Future<Output = Option<String>> + Send + 'a>> {
        Box::pin(async move {
            let found = tokio::time::timeout(PATIENCE, self.bucket.get(key))
                .await
                .ok()?
                .ok()??;
            String::from_utf8(found.value.into()).ok()
        })
    }

    fn keep<'a>(
        &'a self,
        key: &'a str,
        task: Option<&'a str>,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        Box::pin(async move {
            let written = tokio::time::timeout(PATIENCE, self.write(key, task)).await;
            if !matches!(written, Ok(Ok(()))) {
                tracing::debug!(outcome = ?written, "a pending report is known to this process only");
            }
        })
    }
}
