//! The few Drive calls that tell who may do what with a spreadsheet.

use serde::Deserialize;
use serde_json::{Value, json};

use super::mask::Mask;
use super::model::{Role, Spreadsheet};
use crate::server::{Answer, Call};

/// Drive's own error style.
pub(crate) fn error(status: u16, reason: &str, message: &str) -> Answer {
    let domain = if status == 403 && reason == "storageQuotaExceeded" {
        "usageLimits"
    } else {
        "global"
    };
    Answer::json(
        status,
        &json!({"error": {
            "code": status, "message": message,
            "errors": [{"domain": domain, "reason": reason, "message": message}],
        }}),
    )
}

/// The answer for a file that the caller cannot see.
pub(crate) fn not_found(id: &str) -> Answer {
    error(404, "notFound", &format!("File not found: {id}."))
}

fn permission(email: &str, role: Role) -> Value {
    if email == "anyone" {
        return json!({"kind": "drive#permission", "id": "anyoneWithLink", "type": "anyone", "role": role});
    }
    // Any stable number does; a client must treat it as opaque.
    let id = email.bytes().fold(7_u64, |hash, byte| {
        hash.wrapping_mul(131).wrapping_add(u64::from(byte))
    });
    json!({
        "kind": "drive#permission", "id": format!("{id:020}"), "type": "user", "role": role,
        "emailAddress": email, "displayName": email.split('@').next(), "deleted": false,
    })
}

fn masked(call: &Call, default: &str, value: Value) -> Answer {
    let text = call.param("fields").unwrap_or(default);
    match Mask::parse(text) {
        Some(mask) => Answer::json(200, &mask.filter(value)),
        None => error(
            400,
            "invalidParameter",
            &format!("Invalid field selection {text}"),
        ),
    }
}

/// `GET /drive/v3/files/{id}`
pub(crate) fn file(book: &Spreadsheet, role: Role, call: &Call, base_url: &str) -> Answer {
    let writer = role >= Role::Writer;
    let value = json!({
        "kind": "drive#file", "id": book.id, "name": book.title,
        "mimeType": "application/vnd.google-apps.spreadsheet", "trashed": false,
        "webViewLink": format!("{base_url}/spreadsheets/d/{}/edit", book.id),
        "ownedByMe": role == Role::Owner,
        "capabilities": {
            "canEdit": writer, "canComment": role >= Role::Commenter, "canShare": writer, "canCopy": true,
            "canDownload": true, "canModifyContent": writer, "canRename": writer,
            "canReadRevisions": writer, "canTrash": role == Role::Owner, "canDelete": role == Role::Owner,
        },
        "permissions": book.permissions.iter().map(|(email, role)| permission(email, *role)).collect::<Vec<_>>(),
    });
    masked(call, "kind,id,name,mimeType", value)
}

/// `GET /drive/v3/files/{id}/permissions`
pub(crate) fn permissions(book: &Spreadsheet, role: Role, call: &Call) -> Answer {
    if role < Role::Writer {
        let text = "The user does not have sufficient permissions for this file.";
        return error(403, "insufficientFilePermissions", text);
    }
    let list: Vec<Value> = book
        .permissions
        .iter()
        .map(|(email, role)| permission(email, *role))
        .collect();
    let value = json!({"kind": "drive#permissionList", "permissions": list});
    masked(call, "kind,permissions(kind,id,type,role)", value)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewPermission {
    role: Role,
    #[serde(rename = "type")]
    kind: String,
    email_address: Option<String>,
}

/// `POST /drive/v3/files/{id}/permissions`
pub(crate) fn share(book: &mut Spreadsheet, role: Role, call: &Call) -> Answer {
    if role < Role::Writer {
        let text = "The user does not have sufficient permissions for this file.";
        return error(403, "insufficientFilePermissions", text);
    }
    let Ok(wanted) = call.json::<NewPermission>() else {
        return error(400, "badRequest", "Bad Request");
    };
    let email = match (wanted.kind.as_str(), wanted.email_address) {
        ("anyone", _) => "anyone".to_owned(),
        ("user" | "group", Some(email)) if email.contains('@') => email,
        _ => return error(400, "required", "The permission type field is required."),
    };
    book.permissions.insert(email.clone(), wanted.role);
    masked(call, "kind,id,type,role", permission(&email, wanted.role))
}
