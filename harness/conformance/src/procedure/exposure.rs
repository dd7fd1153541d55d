//! `exposure`: which ports of the pod can be connected to from outside it.
//!
//! The connections are made to the pod's address from where the traffic comes from: in a cluster another pod. The proxy's port is tried
//! in every case: a meter that can connect nowhere would find every port closed.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use super::ProcedureResults;
use super::deployment::Deployment;
use super::error::ProcedureError;
use super::exchange::judge_working;
use super::plan::list_stream;
use crate::procedure::interface::{
    CarryOut, CheckContext, Procedure, Requirement, assertion_of_case,
};
use crate::procedure::pods::OnePod;
use harness_core::model::case::Case;
use harness_core::model::complaints::Complaints;
use harness_core::model::located::{Located, Position};
use harness_core::model::validate_requests::check_some_cases;
use harness_core::stack::PROXY_PORT;
use harness_environment::authority;
use harness_traffic::plan::{BodyStart, Framing, Pacing, PlannedRequest, Protocol, Stream};
use harness_verdict::judge::exposure::{PortState, Trial, judge_port};

/// `exposure`: which ports of the pod can be connected to from outside it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ExposureSpec {
    /// Requests that show that the containers work.
    pub cases: Vec<Case>,
    /// Ports to which a connection to the pod's address must be made. The proxy's own is among them without being named.
    #[serde(default)]
    pub open: Vec<Located<u16>>,
    /// Ports to which none must be made.
    pub closed: Vec<Located<u16>>,
}

impl Procedure for ExposureSpec {
    fn check(&self, context: &CheckContext<'_>, complaints: &mut Complaints<'_>) {
        check_some_cases(&self.cases, "exposure", context.section, complaints);
        if self.closed.is_empty() && self.open.is_empty() {
            complaints.add(
                context.section,
                "`exposure` asks for no port",
                "name the agent's port under `closed:` or `open:`",
            );
        }
        for open in &self.open {
            if let Some(closed) = self.closed.iter().find(|closed| ***closed == **open) {
                complaints.add(
                    closed.position,
                    format!("port {} is both open and closed", **closed),
                    "keep one of the two",
                );
            }
        }
    }

    fn assertions(&self) -> Vec<String> {
        let written = |ports: &[Located<u16>]| ports.iter().map(|port| port.to_string()).collect();
        let closed: Vec<String> = written(&self.closed);
        let mut open: Vec<String> = written(&self.open);
        open.insert(0, PROXY_PORT.to_string());
        let mut lines: Vec<String> = self.cases.iter().map(assertion_of_case).collect();
        lines.push(format!(
            "no connection from outside the pod is accepted on {}",
            closed.join(", ")
        ));
        lines.push(format!(
            "a connection from outside the pod is accepted on {}",
            open.join(", ")
        ));
        lines
    }

    fn requirement(&self) -> Requirement<'_> {
        Requirement::Pod(self)
    }
}

#[async_trait]
impl CarryOut<OnePod> for ExposureSpec {
    async fn carry_out(
        &self,
        deployment: &Deployment,
        results: &mut ProcedureResults,
    ) -> Result<(), ProcedureError> {
        judge_working(&self.cases, deployment, results).await?;
        let trials = trials(self);
        let address = deployment.pod().addresses().pod_ip;
        let streams = trials
            .iter()
            .map(|trial| stream(trial.port, &address, deployment))
            .collect();
        let drive = deployment.start_drive(streams).await?;
        let report = deployment.finish_drive(drive).await?;
        for trial in &trials {
            let name = stream_name(trial.port);
            let record = report.records.iter().find(|record| record.stream == name);
            results.absorb(judge_port(trial, record));
        }
        Ok(())
    }
}

fn trials(spec: &ExposureSpec) -> Vec<Trial> {
    let trial = |wanted| {
        move |port: &Located<u16>| Trial {
            port: **port,
            position: port.position,
            wanted,
        }
    };
    let mut trials = vec![Trial {
        port: PROXY_PORT,
        position: Position::default(),
        wanted: PortState::Open,
    }];
    trials.extend(spec.open.iter().map(trial(PortState::Open)));
    trials.extend(spec.closed.iter().map(trial(PortState::Closed)));
    trials
}

fn stream_name(port: u16) -> String {
    format!("port-{port}")
}

/// One request on a connection of its own. It is HTTP for want of anything better: only whether a connection was made is looked at.
fn stream(port: u16, address: &str, deployment: &Deployment) -> Stream {
    let name = stream_name(port);
    let request = PlannedRequest {
        id: deployment.ids.next(&name, 0).as_str().into(),
        method: "GET".into(),
        target: "/".into(),
        headers: Vec::new(),
        body_base64: None,
        framing: Framing::default(),
        raw_base64: None,
        protocol: Protocol::default(),
        trailers: Vec::new(),
        body_pacing: None,
        body_start: BodyStart::default(),
        upgrade: None,
        linger_milliseconds: None,
    };
    list_stream(
        &name,
        &authority(address, port),
        Pacing::Sequential,
        vec![request],
    )
}
