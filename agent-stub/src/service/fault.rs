//! Faults on demand: a request may ask the agent to misbehave, where the settings let it.
//!
//! They are settings of a working agent, so that a scenario can compare a faulty answer with a good one from the same process.

use std::time::Duration;

use tonic::{Code, Status};

use crate::exchange::CheckedRequest;
use crate::settings::{Faults, parse_span};

/// The request header that asks for a fault.
pub const FAULT_HEADER: &str = "x-stub-fault";

/// What a request asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RequestedFault {
    /// An answer as ever, and so many bytes of memory that are taken and never given back.
    Allocate(usize),
    /// An answer that says something else than was decided.
    Answer(WrongAnswer),
    /// An answer that comes this much later.
    Delay(Duration),
    /// No answer to the check.
    Failure(Failure),
    /// An answer on a connection that takes no further checks.
    GoAway,
}

/// An answer that says something else than was decided.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum WrongAnswer {
    /// The answer's own status code, without an HTTP response.
    CheckStatus(i32),
    /// A denial with this HTTP status.
    DeniedStatus(i32),
    /// Leave to go on with a header whose name no header may have.
    InvalidHeaderName,
    /// Leave to go on with a header whose value no header may have.
    InvalidHeaderValue,
}

/// How a check fails.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Failure {
    /// The connection is aborted.
    ConnectionReset,
    /// The call ends with this gRPC status.
    GrpcStatus(Code),
    /// The call's stream is reset.
    StreamReset,
}

impl Faults {
    /// Returns the fault that a request asks for; none where the settings know no faults.
    ///
    /// # Errors
    ///
    /// The header asks for something that is no fault. A typing error must not pass for a request without one.
    pub fn wanted_by(self, request: &CheckedRequest) -> Result<Option<RequestedFault>, Status> {
        let Self::OnDemand { default_status } = self else {
            return Ok(None);
        };
        let Some(text) = request.header(FAULT_HEADER) else {
            return Ok(None);
        };
        parse(text.trim(), default_status)
            .map(Some)
            .ok_or_else(|| Status::invalid_argument(format!("{FAULT_HEADER}: no such fault")))
    }
}

fn parse(text: &str, default_status: i32) -> Option<RequestedFault> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (text, None),
    };
    let number = || value.and_then(|value| value.parse::<i32>().ok());
    Some(match (name, value) {
        ("allocate", Some(size)) => {
            let mebibytes: usize = size.strip_suffix("MiB")?.parse().ok()?;
            let bounded = Some(mebibytes).filter(|count| (1..=MOST_MEBIBYTES).contains(count))?;
            RequestedFault::Allocate(bounded * 1024 * 1024)
        }
        ("grpc-status", None) => {
            RequestedFault::Failure(Failure::GrpcStatus(Code::from(default_status)))
        }
        ("grpc-status", Some(_)) => {
            let status = number().filter(|status| (0..=16).contains(status))?;
            RequestedFault::Failure(Failure::GrpcStatus(Code::from(status)))
        }
        ("check-status", Some(_)) => RequestedFault::Answer(WrongAnswer::CheckStatus(number()?)),
        ("denied-status", Some(_)) => RequestedFault::Answer(WrongAnswer::DeniedStatus(number()?)),
        ("invalid-header", None | Some("name")) => {
            RequestedFault::Answer(WrongAnswer::InvalidHeaderName)
        }
        ("invalid-header", Some("value")) => {
            RequestedFault::Answer(WrongAnswer::InvalidHeaderValue)
        }
        ("delay", Some(span)) => RequestedFault::Delay(
            parse_span(span)
                .ok()
                .filter(|span| *span <= LONGEST_DELAY)?,
        ),
        ("goaway", None) => RequestedFault::GoAway,
        ("reset", None) => RequestedFault::Failure(Failure::ConnectionReset),
        ("stream-reset", None) => RequestedFault::Failure(Failure::StreamReset),
        _ => return None,
    })
}

const MOST_MEBIBYTES: usize = 1024;
const LONGEST_DELAY: Duration = Duration::from_mins(2);

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(
        "grpc-status=7",
        RequestedFault::Failure(Failure::GrpcStatus(Code::PermissionDenied))
    )]
    #[case(
        "grpc-status=0",
        RequestedFault::Failure(Failure::GrpcStatus(Code::Ok))
    )]
    #[case(
        "grpc-status",
        RequestedFault::Failure(Failure::GrpcStatus(Code::Unavailable))
    )]
    #[case(
        "check-status=16",
        RequestedFault::Answer(WrongAnswer::CheckStatus(16))
    )]
    #[case(
        "denied-status=0",
        RequestedFault::Answer(WrongAnswer::DeniedStatus(0))
    )]
    #[case(
        "denied-status=600",
        RequestedFault::Answer(WrongAnswer::DeniedStatus(600))
    )]
    #[case(
        "invalid-header",
        RequestedFault::Answer(WrongAnswer::InvalidHeaderName)
    )]
    #[case(
        "invalid-header=value",
        RequestedFault::Answer(WrongAnswer::InvalidHeaderValue)
    )]
    #[case("delay=250ms", RequestedFault::Delay(Duration::from_millis(250)))]
    #[case("goaway", RequestedFault::GoAway)]
    #[case("allocate=64MiB", RequestedFault::Allocate(64 * 1024 * 1024))]
    #[case("reset", RequestedFault::Failure(Failure::ConnectionReset))]
    #[case(" stream-reset ", RequestedFault::Failure(Failure::StreamReset))]
    fn a_fault_is_read(#[case] text: &str, #[case] expected: RequestedFault) {
        assert_eq!(parse(text.trim(), 14), Some(expected));
    }

    #[rstest]
    #[case("")]
    #[case("grpc-status=17")]
    #[case("grpc-status=-1")]
    #[case("grpc-status=")]
    #[case("denied-status")]
    #[case("denied-status=teapot")]
    #[case("delay=soon")]
    #[case("delay=1h")]
    #[case("goaway=1")]
    #[case("allocate")]
    #[case("allocate=64")]
    #[case("allocate=0MiB")]
    #[case("allocate=1025MiB")]
    #[case("RESET")]
    #[case("reset, goaway")]
    fn what_is_no_fault_is_refused(#[case] text: &str) {
        assert_eq!(parse(text, 14), None);
    }
}
