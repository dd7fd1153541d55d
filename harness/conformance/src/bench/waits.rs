//! What a generation waits for: that each arm answers by its agent's decision, and that the logs have every request.

use std::collections::BTreeMap;
use std::time::Duration;

use super::arm::Arm;
use super::error::BenchError;
use super::generations::BenchPlan;
use super::logs::{Hits, ProxySeen, hits, proxy_seen};
use crate::report::terminal::remark;
use harness_core::model::timeouts::TimedOut;
use harness_core::model::timespan::TimeSpan;
use harness_core::stack::APPLICATION_CONTAINER;
use harness_environment::polling::Polling;
use harness_environment::{EnvironmentFault, Pod, PodHttpRequest};

/// Between two requests by which it is seen that an arm answers.
const POLL_EVERY: Duration = Duration::from_millis(50);
/// How long an answer of such a request may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// Between two readings of whole logs.
const LOGS_EVERY: Duration = Duration::from_millis(500);
/// How long the logs of proxy and application may differ once every request is answered.
const SETTLED_WITHIN: Duration = Duration::from_secs(5);

/// How much of the logs is older than the driver's first request.
#[derive(Clone, Debug, Default)]
pub(super) struct LogsBegin {
    /// By the proxy's container.
    proxies: BTreeMap<String, usize>,
    application: usize,
}

impl LogsBegin {
    /// Reads what the proxies have logged since.
    async fn proxies_since(
        &self,
        pod: &dyn Pod,
    ) -> Result<BTreeMap<Arm, ProxySeen>, EnvironmentFault> {
        let mut seen = BTreeMap::new();
        for (container, &begin) in &self.proxies {
            let log = pod.log(container).await?;
            seen.extend(proxy_seen(log.get(begin..).unwrap_or_default()));
        }
        Ok(seen)
    }
}

/// What becomes of an arm whose agent does not decide in time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Undecided {
    /// Nothing is measured.
    Refused,
    /// It is measured as it is: that an agent cannot decide in the proxy's time is what a ladder looks for.
    Measured,
}

/// Waits until each arm of a plan answers, by a decision of its agent where it has one. Returns what of the logs is not the driver's.
pub(super) async fn await_arms(
    pod: &dyn Pod,
    plan: &BenchPlan,
    generation: u8,
    budget: TimeSpan,
) -> Result<LogsBegin, BenchError> {
    let failed = |source| BenchError::Environment { generation, source };
    // Of the proxy, and with 200 of the application.
    let (mut answers, mut passed) = (0, 0);
    for &arm in &plan.arms {
        let mut statuses = Vec::new();
        let awaited = await_answer(pod, plan, arm, budget, &mut statuses).await;
        let of_arm = statuses.len();
        answers += u64::try_from(of_arm).unwrap_or(u64::MAX);
        let of_application = statuses.iter().filter(|status| **status == 200).count();
        passed += u64::try_from(of_application).unwrap_or(u64::MAX);
        match (awaited, plan.undecided) {
            (Err(BenchError::TimedOut(timed_out)), Undecided::Measured) if of_arm > 0 => {
                remark(format_args!("{timed_out}; it is measured so"));
            }
            (awaited, _) => awaited?,
        }
    }
    let mut polling = Polling::within(SETTLED_WITHIN, POLL_EVERY);
    let mut begin = LogsBegin::default();
    while polling.next().await {
        let application = pod.log(APPLICATION_CONTAINER).await.map_err(failed)?;
        begin.application = application.len();
        let mut logged = 0;
        for proxy in plan.stack.proxies() {
            let log = pod.log(&proxy.container()).await.map_err(failed)?;
            logged += requests_of(&proxy_seen(&log));
            begin.proxies.insert(proxy.container(), log.len());
        }
        if logged >= answers && hits(&application).requests >= passed {
            break;
        }
    }
    Ok(begin)
}

/// Waits until an arm answers, and notes the status of each answer that it gives until then.
async fn await_answer(
    pod: &dyn Pod,
    plan: &BenchPlan,
    arm: Arm,
    budget: TimeSpan,
    statuses: &mut Vec<u16>,
) -> Result<(), BenchError> {
    let target = &plan.target;
    let mut polling = Polling::within(budget.as_duration(), POLL_EVERY);
    let mut last_seen = "nothing".to_owned();
    while polling.next().await {
        let request = PodHttpRequest {
            method: "GET".into(),
            host: "127.0.0.1".into(),
            port: arm.listener_port(),
            path: target.clone(),
        };
        match pod.http(request, TimeSpan::new(ANSWER_WITHIN)).await {
            Ok(answer) => {
                statuses.push(answer.status);
                last_seen = format!("status {}", answer.status);
                if answer.status == 200 {
                    match passage(pod, plan, arm).await {
                        Passage::Decided => return Ok(()),
                        Passage::Undecided => {}
                        Passage::Unasked => {
                            let target = target.clone();
                            return Err(BenchError::Unasked { target });
                        }
                    }
                }
            }
            Err(error) => last_seen = error.to_string(),
        }
    }
    last_seen.push_str(&why_not_running(pod, arm));
    Err(TimedOut {
        waited_for: format!(
            "arm {arm} to answer {target} with 200, by a decision of its agent where it has one"
        ),
        budget,
        last_seen,
    }
    .into())
}

/// Says why the agent of an arm does not run, where the cluster does.
fn why_not_running(pod: &dyn Pod, arm: Arm) -> String {
    let mut images = pod.images().into_iter();
    let waiting = images
        .find(|image| image.container == arm.name())
        .and_then(|image| image.waiting);
    waiting.map_or(String::new(), |(reason, message)| {
        format!("; its agent does not run: {reason}, {message}")
    })
}

/// How a request came by the agent of its arm.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Passage {
    /// The agent decided, or there is none.
    Decided,
    /// The agent failed, or the proxy's log is behind.
    Undecided,
    /// The proxy did not ask it.
    Unasked,
}

/// Returns how requests of an arm came to the application, by the proxy's log: a 200 may have gone on without a decision.
async fn passage(pod: &dyn Pod, plan: &BenchPlan, arm: Arm) -> Passage {
    if !arm.asks() {
        return Passage::Decided;
    }
    let proxy = plan.stack.proxy_of(arm).container();
    let log = pod.log(&proxy).await.unwrap_or_default();
    match proxy_seen(&log).get(&arm) {
        Some(seen) if seen.asked > seen.failed_open + seen.failed_closed => Passage::Decided,
        Some(seen) if seen.asked == 0 => Passage::Unasked,
        Some(_) | None => Passage::Undecided,
    }
}

/// Waits until the driver's first request has reached the application: a generator needs its time to start.
pub(super) async fn await_first_request(
    pod: &dyn Pod,
    begin: &LogsBegin,
    generation: u8,
) -> Result<(), BenchError> {
    let mut polling = Polling::within(SETTLED_WITHIN, POLL_EVERY);
    while polling.next().await {
        let log = pod.log(APPLICATION_CONTAINER).await;
        let log = log.map_err(|source| BenchError::Environment { generation, source })?;
        if log.len() > begin.application {
            return Ok(());
        }
    }
    Err(TimedOut {
        waited_for: "the driver's first request to reach the application".into(),
        budget: TimeSpan::new(SETTLED_WITHIN),
        last_seen: "no new line in its log".into(),
    }
    .into())
}

/// Reads the logs of proxy and application until both have the same number of requests, or for so long: the proxy holds its lines back for a moment.
pub(super) async fn settled_logs(
    pod: &dyn Pod,
    begin: &LogsBegin,
) -> Result<(BTreeMap<Arm, ProxySeen>, Hits), EnvironmentFault> {
    let mut polling = Polling::within(SETTLED_WITHIN, LOGS_EVERY);
    let mut last = (BTreeMap::new(), Hits::default());
    while polling.next().await {
        let proxy = begin.proxies_since(pod).await?;
        let application = pod.log(APPLICATION_CONTAINER).await?;
        let application = hits(application.get(begin.application..).unwrap_or_default());
        let is_settled = requests_of(&proxy) == application.requests;
        last = (proxy, application);
        if is_settled {
            break;
        }
    }
    // What they still differ by is said in the record.
    Ok(last)
}

fn requests_of(proxy: &BTreeMap<Arm, ProxySeen>) -> u64 {
    proxy.values().map(|seen| seen.requests).sum()
}
