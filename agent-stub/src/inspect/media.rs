//! What a body is, by its content type and its first bytes.

/// How a body is read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum BodyKind {
    /// Not at all.
    Binary,
    /// As the fields of a form.
    Form,
    /// As the text of a GraphQL query.
    GraphQl,
    /// As length-prefixed protobuf messages.
    Grpc,
    /// As JSON.
    Json,
    /// As XML.
    Markup,
    /// As the parts of a form with files.
    Multipart,
    /// As one protobuf message.
    Protobuf,
    /// As one text.
    Text,
}

/// Returns what the content type declares; none when it declares nothing that is known.
pub(crate) fn declared(content_type: &str) -> Option<BodyKind> {
    let lower = content_type.to_ascii_lowercase();
    let media_type = lower.split([';', ',']).next().unwrap_or_default().trim();
    let is_any = |parts: &[&str]| parts.iter().any(|part| media_type.contains(part));
    if media_type.starts_with("application/grpc") {
        Some(BodyKind::Grpc)
    } else if is_any(&["json"]) {
        Some(BodyKind::Json)
    } else if is_any(&["x-www-form-urlencoded"]) {
        Some(BodyKind::Form)
    } else if media_type.starts_with("multipart/") {
        Some(BodyKind::Multipart)
    } else if is_any(&["application/graphql"]) {
        Some(BodyKind::GraphQl)
    } else if is_any(&["protobuf"]) {
        Some(BodyKind::Protobuf)
    } else if is_any(&["xml"]) {
        Some(BodyKind::Markup)
    } else if is_any(BINARY) {
        Some(BodyKind::Binary)
    } else if media_type.starts_with("text/") || is_any(&["javascript", "ecmascript", "yaml"]) {
        Some(BodyKind::Text)
    } else {
        None
    }
}

/// Guesses what a text is that nothing is declared about.
pub(crate) fn guessed(content_type: &str, text: &str) -> BodyKind {
    let start = text.trim_start();
    if start.starts_with(['{', '[']) {
        BodyKind::Json
    } else if start.starts_with("<?xml") {
        BodyKind::Markup
    } else if content_type.trim().is_empty() && is_form_like(text) {
        BodyKind::Form
    } else {
        BodyKind::Text
    }
}

fn is_form_like(text: &str) -> bool {
    text.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"_-.[]%".contains(&byte))
    })
}

const BINARY: &[&str] = &[
    "image/",
    "audio/",
    "video/",
    "font/",
    "zip",
    "octet-stream",
    "pdf",
];
