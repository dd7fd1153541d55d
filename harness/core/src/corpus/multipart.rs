//! Values in multipart forms: the content of a field, the name of a file.

use super::carrier;
use super::encode::file_name;
use super::random::Random;
use crate::model::request::RequestSpec;
use crate::model::seed_position::Encoding;

/// Makes the value the content of a field.
pub(super) fn field(value: &[u8], random: &mut Random) -> RequestSpec {
    let name = carrier::name(random);
    let head = format!("content-disposition: form-data; name=\"{name}\"");
    form(head.as_bytes(), value, random)
}

/// Makes the value the name of a file with ordinary content.
pub(super) fn filename(value: &[u8], encoding: Encoding, random: &mut Random) -> RequestSpec {
    let mut head = b"content-disposition: form-data; name=\"upload\"; filename=\"".to_vec();
    head.extend(file_name(value, encoding));
    head.extend_from_slice(b"\"\r\ncontent-type: text/plain");
    form(&head, b"Nothing but a line of text.", random)
}

fn form(head: &[u8], content: &[u8], random: &mut Random) -> RequestSpec {
    let part = [head, b"\r\n\r\n", content, b"\r\n"].concat();
    let boundary = boundary_outside(&part, random);
    let mut parts = vec![
        part,
        b"content-disposition: form-data; name=\"lang\"\r\n\r\nen\r\n".to_vec(),
    ];
    random.shuffle(&mut parts);
    let mut body = Vec::new();
    for part in parts {
        body.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
        body.extend(part);
    }
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    let content_type = format!("multipart/form-data; boundary={boundary}");
    carrier::with_body(&content_type, body, random)
}

/// Returns a boundary that does not occur in the part.
fn boundary_outside(part: &[u8], random: &mut Random) -> String {
    loop {
        let boundary = format!("form-{:016x}", random.next());
        let occurs = part
            .windows(boundary.len())
            .any(|window| window == boundary.as_bytes());
        if !occurs {
            return boundary;
        }
    }
}
