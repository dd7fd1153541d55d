//! In which form a request is sent: protocol, framing, pace.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The protocol of a request.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// HTTP/2 with prior knowledge, or over TLS. `content-length` framing adds that field,
    /// `chunked` framing leaves it away. Field names are sent in lower case, and equal names stand
    /// together.
    H2,
    /// HTTP/1.1.
    #[default]
    Http1,
    /// HTTP/1.0; the connection ends with the answer.
    #[serde(rename = "http1-0")]
    Http10,
}

/// When the body of a request follows its head.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BodyStart {
    /// Once `100 Continue` has come. `expect: 100-continue` is added; a final answer that comes
    /// instead ends the exchange without the body.
    AfterContinue,
    /// At once.
    #[default]
    AtOnce,
}

/// Another protocol that a request asks for on its connection.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Upgrade {
    /// A WebSocket handshake: in HTTP/1.1 its fields are added where they are not given; in HTTP/2
    /// it is an extended CONNECT. After it the body is sent as one text frame, whose echo is awaited.
    Websocket,
}

/// How the bytes of a body are spread over time.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct BodyPacing {
    /// Bytes of one piece, at least 1.
    pub piece: u32,
    /// The pause after each piece but the last, in milliseconds; at most 60000.
    pub interval_milliseconds: u32,
}

/// How a request body is framed in HTTP/1.1.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Framing {
    /// `content-length`.
    #[default]
    ContentLength,
    /// `transfer-encoding: chunked`, in chunks of at most 4 KiB.
    Chunked,
}
