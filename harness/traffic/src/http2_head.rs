//! Turns a planned request into the head of an HTTP/2 request, and refuses what HTTP/2 cannot
//! carry as it stands.

use http::header::{InvalidHeaderName, InvalidHeaderValue};
use http::uri::{Authority, InvalidUri, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};

use crate::plan::{BodyStart, Framing, PlannedRequest};
use crate::request_bytes::ID_HEADER;
use crate::request_layout::{has, push_field};
use crate::websocket::Handshake;

/// The head of an HTTP/2 request without its id.
#[derive(Clone, Debug)]
pub(crate) struct Http2Head {
    method: Method,
    authority: Authority,
    path: PathAndQuery,
    fields: Vec<(HeaderName, HeaderValue)>,
    upgrade: Option<&'static str>,
    /// The trailer fields; empty means that none are sent.
    pub(crate) trailers: HeaderMap,
}

/// Why HTTP/2 cannot carry a request.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Http2HeadError {
    /// The host is not an authority.
    #[error("`{host}` is not an authority")]
    Authority {
        /// The host.
        host: String,
        /// What the parser said.
        #[source]
        source: InvalidUri,
    },
    /// The field belongs to one HTTP/1 connection.
    #[error("`{name}` is a field of HTTP/1 connections")]
    ConnectionField {
        /// The field.
        name: HeaderName,
    },
    /// The name is not a field name.
    #[error("`{name}` is not a field name")]
    Name {
        /// The name.
        name: String,
        /// What the parser said.
        #[source]
        source: InvalidHeaderName,
    },
    /// The value is not a field value.
    #[error("`{name}` has a value that no field can have")]
    Value {
        /// The field.
        name: String,
        /// What the parser said.
        #[source]
        source: InvalidHeaderValue,
    },
    /// The method is not a token, or is `CONNECT`.
    #[error("`{method}` is not a method that can be sent")]
    Method {
        /// The method.
        method: String,
    },
    /// The target would not arrive as it is.
    #[error("the target `{target}` cannot be sent as it is")]
    Target {
        /// The target.
        target: String,
    },
}

impl Http2Head {
    /// Checks a planned request whose body has `body_length` bytes, if it has one.
    pub(crate) fn new(
        request: &PlannedRequest,
        address: &str,
        body_length: Option<usize>,
    ) -> Result<Self, Http2HeadError> {
        let host = request
            .headers
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case("host"))
            .map_or(address, |(_, value)| value);
        field(ID_HEADER, &request.id)?;
        let given = request.headers.iter();
        let mut fields = given
            .filter(|(name, _)| !name.eq_ignore_ascii_case("host"))
            .map(|(name, value)| field(name, value))
            .collect::<Result<Vec<_>, _>>()?;
        let mut add = |name: &'static str, value: &str| {
            if !has(request, name) {
                fields.push(field(name, value)?);
            }
            Ok(())
        };
        if request.upgrade.is_some() {
            // HTTP/2 needs no key, but a proxy passes the fields on to an application that speaks
            // HTTP/1.1, which does.
            let handshake = Handshake::new(&request.id, &request.headers);
            for (name, value) in handshake.fields_of_websocket() {
                add(name, &value)?;
            }
        }
        if request.body_start == BodyStart::AfterContinue {
            add("expect", "100-continue")?;
        }
        if let (Some(length), Framing::ContentLength) = (body_length, request.framing) {
            add("content-length", &length.to_string())?;
        }
        let trailers = request.trailers.iter();
        Ok(Self {
            method: method_of(request)?,
            authority: host.parse().map_err(|source| Http2HeadError::Authority {
                host: host.to_owned(),
                source,
            })?,
            path: path_of(&request.target)?,
            fields,
            // RFC 8441: the method is `CONNECT`, and `:protocol` names what is asked for.
            upgrade: request.upgrade.map(|_| "websocket"),
            trailers: trailers
                .map(|(name, value)| field(name, value))
                .collect::<Result<_, _>>()?,
        })
    }

    /// Returns the request for a connection with or without TLS.
    pub(crate) fn request(&self, id: &str, scheme: Scheme) -> Request<()> {
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(scheme);
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(self.path.clone());
        let mut request = Request::new(());
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = Uri::from_parts(parts).expect("scheme, authority and path are given");
        let id = HeaderValue::from_str(id).expect("a numbered id is as valid as its template");
        request.headers_mut().append(ID_HEADER, id);
        for (name, value) in &self.fields {
            request.headers_mut().append(name, value.clone());
        }
        if let Some(protocol) = self.upgrade {
            let protocol = h2::ext::Protocol::from_static(protocol);
            request.extensions_mut().insert(protocol);
        }
        request
    }

    /// Writes the pseudo fields as text, for evidence.
    pub(crate) fn render_pseudo_fields(&self) -> String {
        let upgrade = self
            .upgrade
            .map(|protocol| format!(":protocol: {protocol}\r\n"));
        format!(
            ":method: {}\r\n:path: {}\r\n:authority: {}\r\n{}",
            self.method,
            self.path,
            self.authority,
            upgrade.unwrap_or_default()
        )
    }

    /// Writes the fields after the id, and the trailer fields, as text, for evidence.
    pub(crate) fn render_fields(&self, bytes: &mut Vec<u8>) {
        for (name, value) in &self.fields {
            push_field(
                bytes,
                name.as_str(),
                &String::from_utf8_lossy(value.as_bytes()),
            );
        }
        for (name, value) in &self.trailers {
            let value = format!("{} (trailer)", String::from_utf8_lossy(value.as_bytes()));
            push_field(bytes, name.as_str(), &value);
        }
        bytes.extend_from_slice(b"\r\n");
    }
}

fn method_of(request: &PlannedRequest) -> Result<Method, Http2HeadError> {
    if request.upgrade.is_some() {
        return Ok(Method::CONNECT);
    }
    let method = Method::from_bytes(request.method.as_bytes()).ok();
    method
        .filter(|method| method != Method::CONNECT)
        .ok_or_else(|| Http2HeadError::Method {
            method: request.method.clone(),
        })
}

/// Takes a target only where the library leaves it as it is: it cuts fragments off, for instance.
fn path_of(target: &str) -> Result<PathAndQuery, Http2HeadError> {
    target
        .parse::<PathAndQuery>()
        .ok()
        .filter(|path| path.as_str() == target && (target.starts_with('/') || target == "*"))
        .ok_or_else(|| Http2HeadError::Target {
            target: target.to_owned(),
        })
}

fn field(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), Http2HeadError> {
    let parsed =
        HeaderName::from_bytes(name.as_bytes()).map_err(|source| Http2HeadError::Name {
            name: name.to_owned(),
            source,
        })?;
    let is_refused_te = parsed == http::header::TE && value != "trailers";
    if is_refused_te || CONNECTION_FIELDS.contains(&parsed.as_str()) {
        return Err(Http2HeadError::ConnectionField { name: parsed });
    }
    let value =
        HeaderValue::from_bytes(value.as_bytes()).map_err(|source| Http2HeadError::Value {
            name: name.to_owned(),
            source,
        })?;
    Ok((parsed, value))
}

/// What the library refuses to send (RFC 9113, section 8.2.2).
const CONNECTION_FIELDS: [&str; 5] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "transfer-encoding",
    "upgrade",
];

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::plan::{Protocol, Upgrade};

    fn planned() -> PlannedRequest {
        PlannedRequest {
            id: "s.c.0.r".into(),
            method: "POST".into(),
            target: "/a//../%2e?q='{}|".into(),
            headers: vec![("X-B".into(), "1".into()), ("a".into(), "\u{e9}".into())],
            body_base64: None,
            framing: Framing::ContentLength,
            raw_base64: None,
            protocol: Protocol::H2,
            trailers: vec![("X-T".into(), "1".into())],
            body_pacing: None,
            body_start: BodyStart::AtOnce,
            upgrade: None,
            linger_milliseconds: None,
        }
    }

    #[test]
    fn target_and_fields_are_as_given_but_for_the_case_of_names() {
        let head = Http2Head::new(&planned(), "h:1", Some(5)).expect("valid");
        let request = head.request("s.c.0.r", Scheme::HTTP);
        let target = request.uri().path_and_query().map(PathAndQuery::as_str);
        assert_eq!(target, Some("/a//../%2e?q='{}|"));
        let names: Vec<_> = request.headers().keys().map(HeaderName::as_str).collect();
        assert_eq!(names, [ID_HEADER, "x-b", "a", "content-length"]);
        assert_eq!(
            request.uri().authority().map(Authority::as_str),
            Some("h:1")
        );
        assert_eq!(head.trailers["x-t"], "1");
    }

    #[test]
    fn a_given_host_is_the_authority() {
        let mut request = planned();
        request.headers.push(("Host".into(), "shop.example".into()));
        let head = Http2Head::new(&request, "h:1", None).expect("valid");
        let request = head.request("s.c.0.r", Scheme::HTTPS);
        assert_eq!(request.uri().host(), Some("shop.example"));
        assert!(!request.headers().contains_key("host"));
    }

    #[test]
    fn an_unframed_body_has_no_length() {
        let mut request = planned();
        request.framing = Framing::Chunked;
        let head = Http2Head::new(&request, "h:1", Some(5)).expect("valid");
        let request = head.request("s.c.0.r", Scheme::HTTP);
        assert!(!request.headers().contains_key("content-length"));
    }

    #[test]
    fn an_upgrade_is_an_extended_connect() {
        let mut request = planned();
        request.upgrade = Some(Upgrade::Websocket);
        let head = Http2Head::new(&request, "h:1", None).expect("valid");
        let request = head.request("s.c.0.r", Scheme::HTTP);
        assert_eq!(request.method(), Method::CONNECT);
        assert!(request.headers().contains_key("sec-websocket-key"));
        let protocol = request.extensions().get::<h2::ext::Protocol>();
        assert_eq!(protocol.map(h2::ext::Protocol::as_str), Some("websocket"));
    }

    #[rstest]
    #[case("/a#fragment")]
    #[case("http://h/absolute")]
    #[case("/a b")]
    #[case("")]
    fn a_target_that_would_not_arrive_as_it_is_is_refused(#[case] target: &str) {
        let mut request = planned();
        request.target = target.into();
        let error = Http2Head::new(&request, "h:1", None).expect_err("it would change");
        assert!(matches!(error, Http2HeadError::Target { .. }), "{error}");
    }

    #[rstest]
    #[case("Transfer-Encoding", "chunked")]
    #[case("connection", "close")]
    #[case("te", "gzip")]
    fn fields_of_http_1_connections_are_refused(#[case] name: &str, #[case] value: &str) {
        let mut request = planned();
        request.headers.push((name.into(), value.into()));
        let error = Http2Head::new(&request, "h:1", None).expect_err("not in HTTP/2");
        assert!(
            matches!(error, Http2HeadError::ConnectionField { .. }),
            "{error}"
        );
    }
}
