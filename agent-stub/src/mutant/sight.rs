//! Parts of a request that a mutant does not inspect. They stay in the data log: the agent has received them.

use std::borrow::Cow;

use envoy_types::pb::envoy::service::auth::v3::CheckRequest;

use crate::exchange::CheckedRequest;
use crate::mutant::fault_hooks::FaultHooks;
use crate::mutant::named::Mutant;
use crate::mutant::table::Sight;

impl FaultHooks {
    /// Takes out of a check what is not read.
    pub fn hide_from_inspection(&self, check: &mut CheckRequest) {
        let Some(Mutant::Sight(sight)) = self.mutant() else {
            return;
        };
        let http = check
            .attributes
            .as_mut()
            .and_then(|attributes| attributes.request.as_mut())
            .and_then(|request| request.http.as_mut());
        let Some(http) = http else {
            return;
        };
        match sight {
            Sight::HeaderList => http.header_map = None,
            Sight::HeaderMap => http.headers.clear(),
            Sight::RawBody => http.raw_body.clear(),
            Sight::TextBody => http.body.clear(),
            Sight::BodiesOverAKibibyte
            | Sight::CapitalContentTypes
            | Sight::CompressedBodies
            | Sight::ContentTypeParameters
            | Sight::EarlierHeaderCopies
            | Sight::EarlierParameters
            | Sight::Escapes
            | Sight::EveryBody
            | Sight::FullBodies
            | Sight::Http10
            | Sight::Http2
            | Sight::LaterHeaderCopies
            | Sight::LaterHeaders
            | Sight::LaterParameters
            | Sight::LongTargets
            | Sight::MethodPut
            | Sight::Multipart
            | Sight::PartialBodies
            | Sight::RareMethods
            | Sight::SelfExempted
            | Sight::StaticFiles
            | Sight::Upgrades => {}
        }
    }

    /// Returns what is inspected of a request.
    pub fn seen<'request>(
        &self,
        request: &'request CheckedRequest,
    ) -> Cow<'request, CheckedRequest> {
        if self.is_passed_over(request) {
            return Cow::Owned(CheckedRequest::default());
        }
        let Some(Mutant::Sight(sight)) = self.mutant() else {
            return Cow::Borrowed(request);
        };
        let mut seen = request.clone();
        sight.narrow(&mut seen);
        Cow::Owned(seen)
    }
}

impl Sight {
    fn narrow(self, seen: &mut CheckedRequest) {
        let content_type = seen.header("content-type").unwrap_or_default().to_owned();
        let is = |name: &str, value: &str| {
            seen.header(name)
                .is_some_and(|found| found.trim().eq_ignore_ascii_case(value))
        };
        let hides_all = match self {
            Self::Http10 => seen.protocol == "HTTP/1.0",
            Self::Http2 => seen.protocol == "HTTP/2",
            Self::MethodPut => seen.method == "PUT",
            Self::RareMethods => !METHODS.contains(&seen.method.as_str()),
            Self::SelfExempted => is("x-sigsci-no-inspection", "true"),
            Self::StaticFiles => STATIC_ENDS.iter().any(|end| seen.path().ends_with(end)),
            Self::Upgrades => seen.header("upgrade").is_some() || seen.method == "CONNECT",
            Self::BodiesOverAKibibyte
            | Self::CapitalContentTypes
            | Self::CompressedBodies
            | Self::ContentTypeParameters
            | Self::EarlierHeaderCopies
            | Self::EarlierParameters
            | Self::Escapes
            | Self::EveryBody
            | Self::FullBodies
            | Self::HeaderList
            | Self::HeaderMap
            | Self::LaterHeaderCopies
            | Self::LaterHeaders
            | Self::LaterParameters
            | Self::LongTargets
            | Self::Multipart
            | Self::PartialBodies
            | Self::RawBody
            | Self::TextBody => false,
        };
        let body_bytes = match self {
            Self::BodiesOverAKibibyte => 1_024,
            Self::CapitalContentTypes if has_capitals(&content_type) => 0,
            Self::CompressedBodies if seen.header("content-encoding").is_some() => 0,
            Self::ContentTypeParameters if content_type.contains(';') => 0,
            Self::EveryBody => 0,
            Self::FullBodies if seen.body.len() >= WINDOW_BYTES => 0,
            Self::Multipart if content_type.starts_with("multipart/") => 0,
            Self::PartialBodies if is("x-envoy-auth-partial-body", "true") => seen.body.len() / 2,
            Self::CapitalContentTypes
            | Self::CompressedBodies
            | Self::ContentTypeParameters
            | Self::EarlierHeaderCopies
            | Self::EarlierParameters
            | Self::Escapes
            | Self::FullBodies
            | Self::HeaderList
            | Self::HeaderMap
            | Self::Http10
            | Self::Http2
            | Self::LaterHeaderCopies
            | Self::LaterHeaders
            | Self::LaterParameters
            | Self::LongTargets
            | Self::MethodPut
            | Self::Multipart
            | Self::PartialBodies
            | Self::RareMethods
            | Self::RawBody
            | Self::SelfExempted
            | Self::StaticFiles
            | Self::TextBody
            | Self::Upgrades => seen.body.len(),
        };
        if hides_all {
            *seen = CheckedRequest::default();
        }
        seen.body.truncate(body_bytes);
        self.narrow_lists(seen);
    }
}

fn has_capitals(text: &str) -> bool {
    text.bytes().any(|byte| byte.is_ascii_uppercase())
}

const WINDOW_BYTES: usize = 8_192;
const METHODS: &[&str] = &[
    "CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE",
];
const STATIC_ENDS: &[&str] = &[".css", ".gif", ".ico", ".jpg", ".js", ".png", ".svg"];

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn request() -> CheckedRequest {
        CheckedRequest {
            method: "GET".into(),
            target: "/items?id=1&x=2&id=3".into(),
            protocol: "HTTP/1.1".into(),
            headers: vec![
                ("x-many".into(), "a".into()),
                ("x-many".into(), "b, c".into()),
                ("x-one".into(), "d".into()),
            ],
            body: vec![b'x'; 2_000],
            ..CheckedRequest::default()
        }
    }

    fn seen(sight: Sight, request: &CheckedRequest) -> CheckedRequest {
        FaultHooks::of(Some(Mutant::Sight(sight)))
            .seen(request)
            .into_owned()
    }

    #[test]
    fn an_agent_that_is_no_mutant_sees_everything() {
        assert_eq!(*FaultHooks::default().seen(&request()), request());
    }

    #[rstest]
    #[case(Sight::Http10, CheckedRequest { protocol: "HTTP/1.0".into(), ..request() })]
    #[case(Sight::Http2, CheckedRequest { protocol: "HTTP/2".into(), ..request() })]
    #[case(Sight::MethodPut, CheckedRequest { method: "PUT".into(), ..request() })]
    #[case(Sight::RareMethods, CheckedRequest { method: "PROPFIND".into(), ..request() })]
    #[case(Sight::StaticFiles, CheckedRequest { target: "/a.css?q=1".into(), ..request() })]
    #[case(Sight::SelfExempted, CheckedRequest { headers: vec![("x-sigsci-no-inspection".into(), "true".into())], ..request() })]
    #[case(Sight::Upgrades, CheckedRequest { headers: vec![("upgrade".into(), "websocket".into())], ..request() })]
    fn a_kind_of_request_is_not_seen_and_others_are(
        #[case] sight: Sight,
        #[case] unseen: CheckedRequest,
    ) {
        assert_eq!(seen(sight, &unseen), CheckedRequest::default());
        assert_eq!(seen(sight, &request()), request());
    }

    #[test]
    fn an_escape_is_not_undone() {
        let body = br#"{"a":"\u0027 OR"}"#.to_vec();
        let seen = seen(Sight::Escapes, &CheckedRequest { body, ..request() });
        assert_eq!(seen.body, br#"{"a":"/u0027 OR"}"#);
        assert_eq!(seen.target, request().target);
    }

    fn with_header(name: &str, value: &str) -> CheckedRequest {
        CheckedRequest {
            headers: vec![(name.into(), value.into())],
            ..request()
        }
    }

    #[rstest]
    #[case(Sight::EveryBody, request(), 0)]
    #[case(Sight::BodiesOverAKibibyte, request(), 1_024)]
    #[case(
        Sight::PartialBodies,
        with_header("x-envoy-auth-partial-body", "true"),
        1_000
    )]
    #[case(
        Sight::PartialBodies,
        with_header("x-envoy-auth-partial-body", "false"),
        2_000
    )]
    #[case(Sight::CompressedBodies, with_header("content-encoding", "gzip"), 0)]
    #[case(Sight::CompressedBodies, request(), 2_000)]
    #[case(
        Sight::Multipart,
        with_header("content-type", "multipart/form-data"),
        0
    )]
    #[case(Sight::Multipart, with_header("content-type", "text/plain"), 2_000)]
    #[case(
        Sight::CapitalContentTypes,
        with_header("content-type", "Text/plain"),
        0
    )]
    #[case(
        Sight::CapitalContentTypes,
        with_header("content-type", "text/plain"),
        2_000
    )]
    #[case(
        Sight::ContentTypeParameters,
        with_header("content-type", "text/plain;charset=utf-8"),
        0
    )]
    #[case(Sight::FullBodies, request(), 2_000)]
    #[case(Sight::FullBodies, CheckedRequest { body: vec![b'x'; 8_192], ..request() }, 0)]
    #[case(Sight::FullBodies, CheckedRequest { body: vec![b'x'; 8_191], ..request() }, 8_191)]
    fn as_many_bytes_of_a_body_are_seen(
        #[case] sight: Sight,
        #[case] request: CheckedRequest,
        #[case] bytes: usize,
    ) {
        let seen = seen(sight, &request);
        assert_eq!(seen.body.len(), bytes);
        assert_eq!(seen.target, request.target);
    }
}
