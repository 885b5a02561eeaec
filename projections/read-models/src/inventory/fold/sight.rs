//! What of a cabinet is seen: whether its products are shown at all, and which of its warehouses count.

use events::Recorded;
use events::catalog::CabinetEvent;

use crate::inventory::rows::{Absence, Exclusion, Rows};

/// Whether an event of a cabinet says which of its products and warehouses count; nothing else of cabinets is
/// looked at.
pub(in crate::inventory) fn is_of_sight(event_type: &str) -> bool {
    matches!(
        event_type,
        "cabinet_disconnected" | "cabinet_reconnected" | "warehouse_excluded" | "warehouse_included"
    )
}

/// Folds an event of a cabinet's stream: whether its products are shown, and which warehouses are left out.
pub(in crate::inventory) fn cabinet(rows: &mut Rows, event: &Recorded, fact: &CabinetEvent) {
    match fact {
        CabinetEvent::CabinetDisconnected(_) => rows.absences.push(absence(event, true)),
        CabinetEvent::CabinetReconnected(_) => rows.absences.push(absence(event, false)),
        CabinetEvent::WarehouseExcluded(told) => {
            let exclusion = exclusion(event, &told.warehouse, Some(&told.reason));
            rows.exclusions.push(exclusion);
        }
        CabinetEvent::WarehouseIncluded(told) => {
            rows.exclusions.push(exclusion(event, &told.warehouse, None));
        }
        _ => {}
    }
}

fn absence(event: &Recorded, left: bool) -> Absence {
    Absence {
        tenant_id: event.metadata.tenant_id.uuid(),
        cabinet_id: event.stream_id,
        left,
        position: event.position,
        at: event.recorded_at,
    }
}

fn exclusion(event: &Recorded, warehouse: &str, reason: Option<&String>) -> Exclusion {
    Exclusion {
        tenant_id: event.metadata.tenant_id.uuid(),
        cabinet_id: event.stream_id,
        warehouse: warehouse.to_owned(),
        reason: reason.cloned(),
        by: event.metadata.actor.clone(),
        position: event.position,
        at: event.recorded_at,
    }
}
