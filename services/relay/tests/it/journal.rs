//! What a relay told about itself, to wait for and to judge by.

use std::sync::Mutex;

use relay::Observer;

/// Everything that was told.
#[derive(Debug, Default, Clone)]
pub(crate) struct Told {
    pub(crate) leading: bool,
    pub(crate) led: u32,
    pub(crate) published: i64,
    pub(crate) resyncs: Vec<String>,
    pub(crate) rebuilt: Vec<(String, i64)>,
}

#[derive(Debug, Default)]
pub(crate) struct Journal(Mutex<Told>);

impl Journal {
    pub(crate) fn told(&self) -> Told {
        self.0.lock().unwrap().clone()
    }
}

impl Observer for Journal {
    fn leader(&self, leading: bool) {
        let mut told = self.0.lock().unwrap();
        told.leading = leading;
        told.led += u32::from(leading);
    }

    fn published(&self, position: i64) {
        self.0.lock().unwrap().published = position;
    }

    fn resync(&self, reason: &str) {
        self.0.lock().unwrap().resyncs.push(reason.to_owned());
    }

    fn rebuilt(&self, reason: &str, from: i64) {
        self.0.lock().unwrap().rebuilt.push((reason.to_owned(), from));
    }
}
