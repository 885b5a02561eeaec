//! The sheet of a tenant cannot be written until a person does something, or can be written again. Only a
//! change is recorded.

use domain::sheet::{Sheet, SheetCommand, SheetRefusal};

use crate::{App, Context, ExecuteError, Receipt};

/// Records what hinders the writing, in one word; none when it works.
///
/// # Errors
/// [`ExecuteError`]. A sheet that is not linked is no error and leaves no event.
pub async fn execute(
    app: &App,
    context: &Context,
    hindered: Option<&str>,
) -> Result<Receipt, ExecuteError<SheetRefusal>> {
    let command = SheetCommand::ReportWriting(hindered.map(str::to_owned));
    let executed = app
        .execute::<Sheet>(context, context.tenant_id.uuid(), command, |_| None)
        .await?;
    Ok(executed.receipt)
}
