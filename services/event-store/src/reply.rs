//! How the combiner answers whoever sent it several commands: each for itself, and told once, when the last
//! of them is answered. A channel per command would wake the sender for nearly every one of them.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

use crate::AppendError;
use crate::append::Answer;

/// The place for one command's answer. Dropped without one, it answers that the combiner has ended.
pub(crate) struct Reply {
    place: usize,
    gathered: Arc<Mutex<Gathered>>,
}

struct Gathered {
    answers: Vec<Answer>,
    missing: usize,
    told: Option<oneshot::Sender<Vec<Answer>>>,
}

impl Reply {
    /// Places for `count` answers, and what is told once all of them are there.
    pub(crate) fn for_many(count: usize) -> (Vec<Self>, oneshot::Receiver<Vec<Answer>>) {
        let (sender, told) = oneshot::channel();
        let gathered = Arc::new(Mutex::new(Gathered {
            answers: vec![Err(AppendError::Closed); count],
            missing: count,
            told: Some(sender),
        }));
        let replies = (0..count).map(|place| Self {
            place,
            gathered: Arc::clone(&gathered),
        });
        (replies.collect(), told)
    }

    /// Answers.
    pub(crate) fn give(self, answer: Answer) {
        let mut gathered = self.gathered.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = gathered.answers.get_mut(self.place) {
            *place = answer;
        }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        let mut gathered = self.gathered.lock().unwrap_or_else(PoisonError::into_inner);
        gathered.missing -= 1;
        if gathered.missing > 0 {
            return;
        }
        let answers = std::mem::take(&mut gathered.answers);
        if let Some(told) = gathered.told.take()
            && told.send(answers).is_err()
        {
            tracing::debug!("nobody waits for the answers any more");
        }
    }
}
