//! Pages of the log, read and parsed ahead of whoever folds them: the database, the parser and the fold each
//! work on a page of their own at a time.

use event_store::{GlobalReader, ReadError};
use events::Recorded;
use read_models::Projection;
use read_models::apply::Read;
use tokio::sync::mpsc;

use crate::RebuildError;

/// Events of one page.
const PAGE: i64 = 5_000;
/// Pages that wait to be folded.
const AHEAD: usize = 2;

type Page<P> = Vec<Read<Recorded, P>>;

/// The log from one position to another.
pub(crate) struct Pages<P: Projection> {
    pages: mpsc::Receiver<Result<Page<P>, RebuildError>>,
}

impl<P: Projection> Pages<P> {
    /// Begins to read behind `position`, up to `end`. Ends when it is dropped.
    pub(crate) fn open(reader: GlobalReader, position: i64, end: i64) -> Self {
        let (sender, pages) = mpsc::channel(AHEAD);
        tokio::spawn(async move {
            if let Err(error) = read(&reader, position, end, &sender).await {
                // Whoever is gone needs no reason.
                drop(sender.send(Err(error)).await);
            }
        });
        Self { pages }
    }

    /// The next page; none at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Page<P>>, RebuildError> {
        self.pages.recv().await.transpose()
    }
}

async fn read<P: Projection>(
    reader: &GlobalReader,
    mut position: i64,
    end: i64,
    sender: &mpsc::Sender<Result<Page<P>, RebuildError>>,
) -> Result<(), RebuildError> {
    let mut page = page_after(reader, position, end).await?;
    while let Some(last) = page.last() {
        position = last.position;
        let parsing = tokio::task::spawn_blocking(move || page.into_iter().map(Read::of).collect());
        let (parsed, following) = tokio::join!(parsing, page_after(reader, position, end));
        if sender
            .send(Ok(parsed.map_err(RebuildError::Panicked)?))
            .await
            .is_err()
        {
            return Ok(());
        }
        page = following?;
    }
    Ok(())
}

async fn page_after(reader: &GlobalReader, position: i64, end: i64) -> Result<Vec<Recorded>, ReadError> {
    if position >= end {
        return Ok(Vec::new());
    }
    reader.read_after(position, PAGE.min(end - position)).await
}
