//! A seller chooses how the table looks, in the sheet and in exports. A sheet need not be linked: exports and
//! the preview follow the same choice.

use domain::sheet::{Sheet, SheetCommand, SheetRefusal};
use events::sheet::SheetLayoutChanged;

use crate::{App, Context, ExecuteError, Receipt};

/// Records the whole choice; one that is as before changes nothing.
///
/// # Errors
/// [`SheetRefusal`] for a choice that means nothing, or the log's failure. Whether the cabinets are the
/// tenant's is for the caller to know; one that is not shows nothing.
pub async fn execute(
    app: &App,
    context: &Context,
    layout: SheetLayoutChanged,
) -> Result<Receipt, ExecuteError<SheetRefusal>> {
    let command = SheetCommand::ChangeLayout(Box::new(layout));
    Ok(app
        .execute::<Sheet>(context, context.tenant_id.uuid(), command, |_| None)
        .await?
        .receipt)
}
