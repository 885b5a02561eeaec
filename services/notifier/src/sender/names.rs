//! What things are called, read when a message is made. A name that cannot be read is left out: a message
//! with numbers only is better than none.

use application::App;
use application::domain::notice::NoticeKind;
use auth::profiles::Subject;
use database::{DatabaseError, Pool};
use events::ids::{CabinetId, ProductId, TenantId};
use notifications::SheetTroubles;
use read_models::QueryError;
use read_models::inventory::queries::product_labels;
use uuid::Uuid;

use crate::compose::{Item, Names, shown_products};

/// Why products have no names.
#[derive(Debug, thiserror::Error)]
enum NamesError {
    #[error("the names of products cannot be read")]
    Database(#[from] DatabaseError),
    #[error("the names of products cannot be read")]
    Query(#[from] QueryError),
}

pub(super) async fn of(app: &App, pool: &Pool, tenant: TenantId, items: &[Item]) -> Names {
    let mut names = Names::default();
    let wanted = shown_products(items);
    if !wanted.is_empty() {
        match products(pool, tenant, &wanted, &mut names).await {
            Ok(()) => {}
            Err(error) => tracing::warn!(error = ?error, "a notice has no names of products"),
        }
    }
    if items.iter().any(|item| item.facts.cabinet.is_some()) {
        match app.profiles.all(tenant, Subject::Cabinet).await {
            Ok(known) => {
                names.cabinets = known
                    .into_iter()
                    .map(|(id, name)| (CabinetId(id), name))
                    .collect();
            }
            Err(error) => tracing::warn!(error = ?error, "a notice has no names of cabinets"),
        }
    }
    if items.iter().any(|item| item.kind == NoticeKind::SheetBlocked) {
        match SheetTroubles::new(pool.clone()).instruction(tenant).await {
            Ok(sheet) => names.sheet = sheet,
            Err(error) => tracing::warn!(error = ?error, "a notice has no instruction for the sheet"),
        }
    }
    names
}

async fn products(
    pool: &Pool,
    tenant: TenantId,
    wanted: &[ProductId],
    names: &mut Names,
) -> Result<(), NamesError> {
    let ids: Vec<Uuid> = wanted.iter().map(|product| product.uuid()).collect();
    let mut session = pool.tenant(tenant).await?;
    let transaction = session.begin_snapshot().await?;
    for (id, label) in product_labels(&transaction, &ids).await? {
        names
            .products
            .insert(ProductId(id), (label.vendor_code, label.title));
    }
    Ok(())
}
