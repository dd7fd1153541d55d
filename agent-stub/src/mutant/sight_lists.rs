//! Parts of a request's lists and texts that a mutant does not inspect: copies of a header, parameters, what lies behind a length.

use crate::exchange::CheckedRequest;
use crate::mutant::table::Sight;

impl Sight {
    /// Takes out of a request's lists and texts what is not read.
    pub(super) fn narrow_lists(self, seen: &mut CheckedRequest) {
        match self {
            Self::EarlierHeaderCopies => keep_copies(&mut seen.headers, Copy::Last),
            Self::LaterHeaderCopies => keep_copies(&mut seen.headers, Copy::First),
            Self::EarlierParameters => keep_parameters(&mut seen.target, Copy::Last),
            Self::LaterParameters => keep_parameters(&mut seen.target, Copy::First),
            Self::Escapes => {
                seen.target = seen.target.replace("%5Cu", "/u").replace("%5cu", "/u");
                let text = String::from_utf8_lossy(&seen.body).replace("\\u", "/u");
                seen.body = text.into_bytes();
            }
            Self::LaterHeaders => seen.headers.truncate(64),
            Self::LongTargets => {
                let end = seen.target.floor_char_boundary(4_096);
                seen.target.truncate(end);
            }
            Self::BodiesOverAKibibyte
            | Self::CapitalContentTypes
            | Self::CompressedBodies
            | Self::ContentTypeParameters
            | Self::EveryBody
            | Self::FullBodies
            | Self::HeaderList
            | Self::HeaderMap
            | Self::Http10
            | Self::Http2
            | Self::MethodPut
            | Self::Multipart
            | Self::PartialBodies
            | Self::RareMethods
            | Self::RawBody
            | Self::SelfExempted
            | Self::StaticFiles
            | Self::TextBody
            | Self::Upgrades => {}
        }
    }
}

#[derive(Clone, Copy)]
enum Copy {
    First,
    Last,
}

// Envoy joins the copies of a header by commas where it fills the map, so a comma begins another copy.
fn keep_copies(headers: &mut Vec<(String, String)>, copy: Copy) {
    for (_, value) in headers.iter_mut() {
        let mut parts = value.split(',');
        let part = match copy {
            Copy::First => parts.next(),
            Copy::Last => parts.next_back(),
        };
        *value = part.unwrap_or_default().trim().into();
    }
    match copy {
        Copy::First => headers.dedup_by(|later, earlier| later.0 == earlier.0),
        Copy::Last => {
            headers.reverse();
            headers.dedup_by(|earlier, later| earlier.0 == later.0);
            headers.reverse();
        }
    }
}

fn keep_parameters(target: &mut String, copy: Copy) {
    let Some((path, query)) = target.split_once('?') else {
        return;
    };
    let pairs: Vec<&str> = query.split('&').collect();
    let kept: Vec<&str> = pairs
        .iter()
        .enumerate()
        .filter(|(place, pair)| {
            let others = match copy {
                Copy::First => &pairs[..*place],
                Copy::Last => &pairs[place + 1..],
            };
            !others.iter().any(|other| name(other) == name(pair))
        })
        .map(|(_, pair)| *pair)
        .collect();
    *target = format!("{path}?{}", kept.join("&"));
}

fn name(pair: &str) -> &str {
    pair.split('=').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn request() -> CheckedRequest {
        CheckedRequest {
            target: "/items?id=1&x=2&id=3".into(),
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
        let mut seen = request.clone();
        sight.narrow_lists(&mut seen);
        seen
    }

    #[rstest]
    #[case(Sight::LaterHeaderCopies, "a")]
    #[case(Sight::EarlierHeaderCopies, "c")]
    fn one_copy_of_a_header_is_seen_and_the_rest_of_the_request(
        #[case] sight: Sight,
        #[case] kept: &str,
    ) {
        let seen = seen(sight, &request());
        let expected: Vec<(String, String)> =
            vec![("x-many".into(), kept.into()), ("x-one".into(), "d".into())];
        assert_eq!(seen.headers, expected);
        assert_eq!((seen.target, seen.body), (request().target, request().body));
    }

    #[rstest]
    #[case(Sight::LaterParameters, "/items?id=1&x=2")]
    #[case(Sight::EarlierParameters, "/items?x=2&id=3")]
    fn one_parameter_of_a_name_is_seen(#[case] sight: Sight, #[case] target: &str) {
        assert_eq!(seen(sight, &request()).target, target);
    }
}
