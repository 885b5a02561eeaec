//! A seller takes the spreadsheet back; what was written stays in it.

use domain::sheet::{Sheet, SheetCommand, SheetRefusal};

use crate::{App, Context, ExecuteError, Receipt};

/// Records it.
///
/// # Errors
/// [`SheetRefusal::NotLinked`] when nothing is linked, or the log's failure.
pub async fn execute(app: &App, context: &Context) -> Result<Receipt, ExecuteError<SheetRefusal>> {
    Ok(app
        .execute::<Sheet>(context, context.tenant_id.uuid(), SheetCommand::Unlink, |_| None)
        .await?
        .receipt)
}
