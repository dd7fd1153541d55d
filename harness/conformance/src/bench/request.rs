//! The request of a benchmark, which no rule has anything against.

/// What a body is made of.
const TEXT: &[u8] = b"the quick brown fox jumps over the lazy dog ";

/// The body of a request.
#[derive(Clone, Debug)]
pub struct Body {
    /// The type that it is said to be of.
    pub content_type: &'static str,
    /// Its bytes.
    pub content: Vec<u8>,
}

/// Makes the bytes of a request for a target: a GET, or a POST where it has a body, with so many fields beyond those of a browser.
pub fn request(target: &str, body_bytes: u32, fields: u16) -> Vec<u8> {
    let length = usize::try_from(body_bytes).unwrap_or_default();
    let body = Body {
        content_type: "text/plain",
        content: TEXT.iter().copied().cycle().take(length).collect(),
    };
    request_with(target, (length > 0).then_some(&body), fields)
}

/// Makes the bytes of a request with a body of any type.
pub fn request_with(target: &str, body: Option<&Body>, fields: u16) -> Vec<u8> {
    let method = if body.is_none() { "GET" } else { "POST" };
    let mut lines = vec![
        format!("{method} {target} HTTP/1.1"),
        "host: shop.example.com".into(),
        "user-agent: Mozilla/5.0 (X11; Linux x86_64)".into(),
        "accept: */*".into(),
    ];
    lines.extend((0..fields).map(|number| format!("x-field-{number}: value-of-field-{number}")));
    if let Some(body) = body {
        lines.push(format!("content-type: {}", body.content_type));
        lines.push(format!("content-length: {}", body.content.len()));
    }
    let mut request = lines.join("\r\n").into_bytes();
    request.extend(b"\r\n\r\n");
    request.extend(body.into_iter().flat_map(|body| &body.content));
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_the_body_and_the_fields_that_were_asked_for() {
        let text = String::from_utf8(request("/a?b", 100, 2)).expect("text");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        assert!(head.starts_with("POST /a?b HTTP/1.1\r\n") && head.contains("content-length: 100"));
        assert_eq!(body.len(), 100);
        assert_eq!(head.matches("x-field-").count(), 2);
        let text = String::from_utf8(request("/", 0, 0)).expect("text");
        assert!(text.starts_with("GET ") && text.ends_with("\r\n\r\n"));
    }
}
