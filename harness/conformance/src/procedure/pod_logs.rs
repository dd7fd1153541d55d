//! Reads on in the logs of a pod's three witnesses, piece by piece.

use std::collections::BTreeMap;

use super::error::ProcedureError;
use harness_core::stack::{APPLICATION_CONTAINER, PROXY_CONTAINER};
use harness_environment::Pod;
use harness_verdict::witness::collected::{CollectedRecords, LineCutter};

/// How much of a log is read at a time, in bytes.
const PIECE_BYTES: usize = 1024 * 1024;

/// How far the logs of a pod's witnesses have been read, by container.
#[derive(Debug, Default)]
pub struct PodLogs(BTreeMap<String, LineCutter>);

impl PodLogs {
    /// Takes in what the witnesses have recorded since the last look. A pod has one agent, or several that go by these names.
    ///
    /// # Errors
    ///
    /// When a log cannot be read.
    pub async fn read_on(
        &mut self,
        pod: &dyn Pod,
        agents: &[String],
        collected: &mut CollectedRecords,
    ) -> Result<(), ProcedureError> {
        let agents = agents.iter().map(|agent| {
            let add: Add = CollectedRecords::add_agent;
            (agent.as_str(), add)
        });
        let others: [(&str, Add); 2] = [
            (PROXY_CONTAINER, CollectedRecords::add_proxy),
            (APPLICATION_CONTAINER, CollectedRecords::add_upstream),
        ];
        for (container, add) in agents.chain(others) {
            let cutter = self.0.entry(container.to_owned()).or_default();
            loop {
                let piece = pod
                    .log_beyond(container, cutter.offset, PIECE_BYTES)
                    .await?;
                if piece.is_empty() {
                    break;
                }
                add(collected, &cutter.take(&piece));
            }
        }
        Ok(())
    }
}

/// Takes in what a witness's log has grown by.
type Add = fn(&mut CollectedRecords, &str);
