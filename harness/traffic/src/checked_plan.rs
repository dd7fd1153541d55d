//! Reads the task, and refuses it as a whole before anything is sent if any part cannot be.

use std::collections::HashSet;
use std::time::Duration;

use tokio::io::AsyncBufRead;

use crate::bounded_lines::{LineError, next_line};
use crate::checked_stream::{CheckedStream, StreamError};
use crate::contract::{CheckedContract, ContractPlanError};
use crate::latency::plan::{LatencyPlan, LatencyPlanError};
use crate::plan::{DrivePlan, Task};
use crate::transport::Translation;

/// The most bytes of the plan.
const PLAN_LIMIT: usize = 64 * 1024 * 1024;
/// The most streams of a plan.
const STREAM_LIMIT: usize = 1024;
/// The longest bound of one request.
const LONGEST_TIMEOUT: Duration = Duration::from_hours(1);

/// Why a plan cannot be carried out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlanError {
    /// A call cannot be made.
    #[error("the calls cannot be made")]
    Contract(#[from] ContractPlanError),
    /// Two records could not be distinguished.
    #[error("two requests have the id `{id}`")]
    DuplicateId {
        /// The id.
        id: String,
    },
    /// Nothing can be measured so.
    #[error("the latency cannot be measured")]
    Latency(#[from] LatencyPlanError),
    /// There is no first line.
    #[error("the input ended before the plan")]
    Missing,
    /// The first line is over the bound, or cannot be read.
    #[error("the plan cannot be read")]
    Line(#[source] LineError),
    /// A stream cannot be run.
    #[error("stream `{stream}` cannot be run")]
    Stream {
        /// Its name.
        stream: String,
        /// Why.
        #[source]
        source: StreamError,
    },
    /// The first line is not a plan.
    #[error("the plan is malformed")]
    Syntax(#[source] serde_json::Error),
    /// The time-out is out of bounds.
    #[error("a request time-out of {milliseconds} ms is not between 1 ms and {} s", LONGEST_TIMEOUT.as_secs())]
    Timeout {
        /// What was asked for.
        milliseconds: u64,
    },
    /// There are more streams than the bound.
    #[error("the plan has {count} streams, the most are {STREAM_LIMIT}")]
    TooManyStreams {
        /// How many.
        count: usize,
    },
}

/// A task of which everything can be done.
#[derive(Debug)]
pub(crate) enum CheckedTask {
    /// Calls to a gRPC server.
    Contract(CheckedContract),
    /// Requests over HTTP that are measured.
    Latency(LatencyPlan),
    /// Requests over HTTP.
    Traffic(CheckedPlan),
}

/// A plan whose every request can be sent.
#[derive(Debug)]
pub(crate) struct CheckedPlan {
    /// What is sent.
    pub(crate) streams: Vec<CheckedStream>,
    /// The bound of one request.
    pub(crate) request_timeout: Duration,
}

/// Reads the task, which is the first line of the input.
pub(crate) async fn read_task(
    input: &mut (impl AsyncBufRead + Unpin),
) -> Result<CheckedTask, PlanError> {
    let line = next_line(input, PLAN_LIMIT)
        .await
        .map_err(PlanError::Line)?
        .ok_or(PlanError::Missing)?;
    match serde_json::from_slice(&line).map_err(PlanError::Syntax)? {
        Task::Contract(plan) => Ok(CheckedTask::Contract(CheckedContract::new(plan)?)),
        Task::Latency(plan) => {
            plan.check()?;
            Ok(CheckedTask::Latency(plan))
        }
        Task::Traffic(plan) => Ok(CheckedTask::Traffic(check_traffic(plan)?)),
    }
}

fn check_traffic(plan: DrivePlan) -> Result<CheckedPlan, PlanError> {
    let milliseconds = plan.request_timeout_milliseconds;
    let request_timeout = Duration::from_millis(milliseconds);
    if request_timeout.is_zero() || request_timeout > LONGEST_TIMEOUT {
        return Err(PlanError::Timeout { milliseconds });
    }
    if plan.streams.len() > STREAM_LIMIT {
        return Err(PlanError::TooManyStreams {
            count: plan.streams.len(),
        });
    }
    let mut ids = HashSet::new();
    let mut streams = Vec::with_capacity(plan.streams.len());
    for stream in plan.streams {
        let name = stream.name.clone();
        let is_translated_here = plan.translated_service.as_ref() == Some(&stream.address);
        let mut stream = CheckedStream::new(stream).map_err(|source| PlanError::Stream {
            stream: name,
            source,
        })?;
        if is_translated_here {
            stream.destination.translation = Translation::ByDriver;
        }
        for id in stream.ids() {
            if let Some(id) = ids.replace(id) {
                return Err(PlanError::DuplicateId { id });
            }
        }
        streams.push(stream);
    }
    Ok(CheckedPlan {
        streams,
        request_timeout,
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;
    use crate::error_chain::error_chain;

    async fn read(plan: &serde_json::Value) -> Result<CheckedPlan, PlanError> {
        let line = format!("{}\n", json!({ "traffic": plan }));
        match read_task(&mut line.as_bytes()).await? {
            CheckedTask::Traffic(plan) => Ok(plan),
            CheckedTask::Contract(_) | CheckedTask::Latency(_) => panic!("no traffic"),
        }
    }

    fn request(id: &str) -> serde_json::Value {
        json!({
            "id": id, "method": "GET", "target": "/", "headers": [],
            "body-base64": null, "framing": "content-length",
        })
    }

    #[tokio::test]
    async fn a_good_plan_is_taken() {
        let plan = read(&broken_plan(|_| {})).await.expect("a good plan");
        assert_eq!(plan.streams.len(), 1);
        assert_eq!(plan.request_timeout, Duration::from_secs(1));
    }

    fn broken_plan(change: impl FnOnce(&mut serde_json::Value)) -> serde_json::Value {
        let mut plan = json!({
            "request-timeout-milliseconds": 1000,
            "streams": [{
                "name": "main", "address": "127.0.0.1:1", "pacing": "sequential",
                "connection": "new", "requests": { "list": [request("s.c.0.r"), request("s.c.1.r")] },
            }],
        });
        change(&mut plan);
        plan
    }

    #[rstest]
    #[case(json!("nonsense"), "malformed")]
    #[case(broken_plan(|plan| plan["more"] = json!(1)), "malformed")]
    #[case(broken_plan(|plan| plan["request-timeout-milliseconds"] = json!(0)), "time-out")]
    #[case(broken_plan(|plan| plan["request-timeout-milliseconds"] = json!(u64::MAX)), "time-out")]
    #[case(broken_plan(|plan| plan["streams"][0]["address"] = json!("localhost")), "`localhost`")]
    #[case(broken_plan(|plan| plan["streams"][0]["pacing"] = json!({"rate": {"per_second": 0.0}})), "requests per second")]
    #[case(broken_plan(|plan| {
    plan["streams"][0]["pacing"] = json!({"concurrent": {"limit": 1}});
    plan["streams"][0]["connection"] = json!("keep");
}), "sequential")]
    #[case(broken_plan(|plan| plan["streams"][0]["pacing"] = json!({"concurrent": {"limit": 0}})), "concurrency")]
    #[case(broken_plan(|plan| plan["streams"][0]["requests"]["list"][1]["id"] = json!("s.c.0.r")), "`s.c.0.r`")]
    #[case(broken_plan(|plan| plan["streams"][0]["requests"]["list"][1]["target"] = json!("/\n")), "the target")]
    #[case(broken_plan(|plan| plan["streams"][0]["requests"]["list"][1]["body-base64"] = json!("%")), "base64")]
    #[case(broken_plan(|plan| plan["streams"][0]["requests"] = json!({"repeat": {"request": request("fixed"), "limit": 2}})), "{n}")]
    #[case(broken_plan(|plan| plan["streams"][0]["requests"]["list"][0]["raw-base64"] = json!("%")), "base64")]
    #[case(broken_plan(|plan| {
    plan["streams"][0]["requests"]["list"][0]["protocol"] = json!("h2");
    plan["streams"][0]["requests"]["list"][0]["target"] = json!("/#f");
}), "`/#f`")]
    #[case(broken_plan(|plan| {
    plan["streams"][0]["pacing"] = json!({"concurrent": {"limit": 1}});
    plan["streams"][0]["connection"] = json!("keep");
    plan["streams"][0]["requests"]["list"][0]["protocol"] = json!("h2");
}), "HTTP/2")]
    #[case(broken_plan(|plan| plan["streams"][0]["requests"]["list"][0]["body-pacing"] = json!({"piece": 1, "interval-milliseconds": 1})), "no body")]
    #[case(broken_plan(|plan| plan["streams"][0]["tls"] = json!({"server-name": "a", "ca-pem-base64": ""})), "no trusted certificate")]
    #[tokio::test]
    async fn a_plan_that_cannot_be_carried_out_is_refused_with_its_reason(
        #[case] plan: serde_json::Value,
        #[case] fragment: &str,
    ) {
        let error = read(&plan).await.expect_err("it cannot be carried out");
        let reason = error_chain(&error);
        assert!(reason.contains(fragment), "{reason}");
    }
}
