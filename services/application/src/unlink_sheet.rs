//! A seller takes the spreadsheet back; what was written stays in it, the key to it does not stay here.

use domain::sheet::{Sheet, SheetCommand, SheetRefusal};

use crate::{App, Context, ExecuteError, Receipt, retired};

/// Records it.
///
/// # Errors
/// [`SheetRefusal::NotLinked`] when nothing is linked, or the log's failure.
pub async fn execute(app: &App, context: &Context) -> Result<Receipt, ExecuteError<SheetRefusal>> {
    let before = retired::sheet(app, context).await?;
    let executed = app
        .execute::<Sheet>(context, context.tenant_id.uuid(), SheetCommand::Unlink, |_| None)
        .await?;
    retired::destroy(app, context, &before, None, &executed.state).await;
    Ok(executed.receipt)
}
