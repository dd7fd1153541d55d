//! Reads on in the logs of a pod's three witnesses, piece by piece.

use super::error::ProcedureError;
use crate::environment::Pod;
use crate::stack::{AGENT_CONTAINER, APPLICATION_CONTAINER, PROXY_CONTAINER};
use crate::witness::testimony::{LineCutter, Testimony};

/// How much of a log is read at a time, in bytes.
const PIECE_BYTES: usize = 1024 * 1024;

/// How far the logs of a pod's witnesses have been read.
#[derive(Debug, Default)]
pub struct PodLogs([LineCutter; 3]);

impl PodLogs {
    /// Takes in what the witnesses have recorded since the last look.
    ///
    /// # Errors
    ///
    /// When a log cannot be read.
    pub async fn read_on(
        &mut self,
        pod: &dyn Pod,
        testimony: &mut Testimony,
    ) -> Result<(), ProcedureError> {
        let witnesses = [
            (
                PROXY_CONTAINER,
                Testimony::add_proxy as fn(&mut Testimony, &str),
            ),
            (AGENT_CONTAINER, Testimony::add_agent),
            (APPLICATION_CONTAINER, Testimony::add_upstream),
        ];
        for (cutter, (container, add)) in self.0.iter_mut().zip(witnesses) {
            loop {
                let piece = pod
                    .log_beyond(container, cutter.offset, PIECE_BYTES)
                    .await?;
                if piece.is_empty() {
                    break;
                }
                add(testimony, &cutter.take(&piece));
            }
        }
        Ok(())
    }
}
