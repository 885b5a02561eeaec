//! The few Drive calls that make a spreadsheet, find it, and tell who may do what with it.

use std::collections::BTreeMap;

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

const MIME_TYPE: &str = "application/vnd.google-apps.spreadsheet";

/// `GET /drive/v3/files/{id}`
pub(crate) fn file(book: &Spreadsheet, role: Role, call: &Call, base_url: &str) -> Answer {
    masked(call, "kind,id,name,mimeType", file_json(book, role, base_url))
}

fn file_json(book: &Spreadsheet, role: Role, base_url: &str) -> Value {
    let writer = role >= Role::Writer;
    json!({
        "kind": "drive#file", "id": book.id, "name": book.title, "mimeType": MIME_TYPE, "trashed": book.trashed,
        "driveId": book.drive, "appProperties": book.app_properties,
        "webViewLink": format!("{base_url}/spreadsheets/d/{}/edit", book.id),
        "ownedByMe": role == Role::Owner,
        "capabilities": {
            "canEdit": writer, "canComment": role >= Role::Commenter, "canShare": writer, "canCopy": true,
            "canDownload": true, "canModifyContent": writer, "canRename": writer,
            "canReadRevisions": writer, "canTrash": role == Role::Owner, "canDelete": role == Role::Owner,
        },
        "permissions": book.permissions.iter().map(|(email, role)| permission(email, *role)).collect::<Vec<_>>(),
    })
}

/// What a new file shall be.
pub(crate) struct NewFile {
    pub(crate) name: String,
    pub(crate) parent: Option<String>,
    pub(crate) app_properties: BTreeMap<String, String>,
}

impl NewFile {
    /// From the body of `POST /drive/v3/files`; only spreadsheets are made here.
    pub(crate) fn read(call: &Call) -> Result<Self, Answer> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields, rename_all = "camelCase")]
        struct Body {
            name: Option<String>,
            mime_type: Option<String>,
            #[serde(default)]
            parents: Vec<String>,
            #[serde(default)]
            app_properties: BTreeMap<String, String>,
        }
        let bad = || error(400, "badRequest", "Bad Request");
        let body: Body = call.json().map_err(|_error| bad())?;
        if body.mime_type.as_deref() != Some(MIME_TYPE) || body.parents.len() > 1 {
            return Err(bad());
        }
        // Key and value together, in bytes (Drive's limits on custom properties).
        if (body.app_properties.iter()).any(|(key, value)| key.len() + value.len() > 124) {
            return Err(error(400, "invalid", "Invalid Value"));
        }
        Ok(Self {
            name: body.name.unwrap_or_else(|| "Untitled".to_owned()),
            parent: body.parents.into_iter().next(),
            app_properties: body.app_properties,
        })
    }
}

/// `GET /drive/v3/files` with a query for one of a program's own properties; others are not understood.
pub(crate) fn list<'a>(
    books: impl Iterator<Item = &'a Spreadsheet>,
    email: &str,
    call: &Call,
    base_url: &str,
) -> Answer {
    let query = call.param("q").unwrap_or_default();
    let quoted: Vec<&str> = query.split('\'').skip(1).step_by(2).collect();
    let ([key, value], true) = (
        quoted.as_slice(),
        query.starts_with("appProperties has {") && query.ends_with("and trashed=false"),
    ) else {
        return error(400, "invalid", "Invalid Value");
    };
    let everywhere = call.param("includeItemsFromAllDrives") == Some("true")
        && call.param("supportsAllDrives") == Some("true");
    let fits = |book: &&Spreadsheet| {
        !book.deleted
            && !book.trashed
            && book.role(email).is_some()
            && (book.drive.is_none() || everywhere)
            && book.app_properties.get(*key).map(String::as_str) == Some(*value)
    };
    let files: Vec<Value> = books
        .filter(fits)
        .map(|book| file_json(book, Role::Writer, base_url))
        .collect();
    masked(
        call,
        "kind,files(kind,id,name,mimeType)",
        json!({"kind": "drive#fileList", "files": files}),
    )
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
