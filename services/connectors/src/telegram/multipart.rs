//! `multipart/form-data` (RFC 7578) from memory, with one file. The boundary follows from the content, so
//! that the same request has the same bytes.

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

/// A body and its content type.
pub(super) struct Form {
    pub(super) content_type: String,
    pub(super) body: Bytes,
}

/// Puts fields and a file together.
pub(super) fn form(fields: &[(&str, String)], file: (&str, &str, &[u8])) -> Form {
    let (field, file_name, content) = file;
    let mut hash = Sha256::new();
    hash.update(content);
    for (name, value) in fields {
        hash.update(name);
        hash.update(value);
    }
    let digest: [u8; 32] = hash.finalize().into();
    let boundary = format!("part-{}", hex::encode(digest));
    let mut body = Vec::with_capacity(content.len() + 1024);
    for (name, value) in fields {
        let head =
            format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        body.extend_from_slice(head.as_bytes());
    }
    let file_name = quoted(file_name);
    let head = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"{field}\"; filename=\"{file_name}\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n"
    );
    body.extend_from_slice(head.as_bytes());
    body.extend_from_slice(content);
    body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    Form {
        content_type: format!("multipart/form-data; boundary={boundary}"),
        body: body.into(),
    }
}

/// A name inside quotes, escaped as browsers do it (WHATWG, "multipart/form-data encoding algorithm").
fn quoted(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

#[cfg(test)]
mod tests {
    use super::form;

    #[test]
    fn a_file_follows_its_fields() {
        let form = form(
            &[("chat_id", "42".to_owned())],
            ("document", "a\"b.csv", b"x;y\n"),
        );
        let (_, boundary) = form.content_type.split_once("boundary=").unwrap();
        let text = String::from_utf8(form.body.to_vec()).unwrap();
        let expected = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"chat_id\"\r\n\r\n42\r\n--{boundary}\r\n\
             Content-Disposition: form-data; name=\"document\"; filename=\"a%22b.csv\"\r\n\
             Content-Type: application/octet-stream\r\n\r\nx;y\n\r\n--{boundary}--\r\n"
        );
        assert_eq!(text, expected);
    }
}
