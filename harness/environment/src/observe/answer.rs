//! `conformance observe`: reads one request, carries it out, answers.

use std::io::{self, BufRead as _, Read as _, Write as _};

use nix::sched::{CloneFlags, setns};

use super::observed_container::{ObservedContainer, leave_devices_out};
use super::protocol::{ObserveReply, ObserveRequest};
use super::watch::watch;
use crate::inspection::{
    InspectedContainer as _, Inspection, InspectionAnswer, InspectionRequest, begin_inspection,
};

/// The longest request, in bytes.
const LONGEST_REQUEST: u64 = 32 * 1024 * 1024;

/// Carries out the request on standard input and writes the answer to standard output.
///
/// # Errors
///
/// When the request cannot be read or the answer cannot be written. A request that cannot be carried out is answered as refused.
pub fn main() -> io::Result<()> {
    let mut line = Vec::new();
    io::stdin()
        .lock()
        .take(LONGEST_REQUEST)
        .read_until(b'\n', &mut line)?;
    let request: ObserveRequest = serde_json::from_slice(&line)?;
    let mut output = io::stdout().lock();
    let answer = match request {
        ObserveRequest::Watch { containers } => return watch(&containers, &mut output),
        ObserveRequest::Inspect {
            container,
            others,
            request,
        } => ObservedContainer::find(container, others)
            .and_then(|container| inspect(&container, request)),
    };
    let reply = match answer {
        Ok(answer) => ObserveReply::Inspected(answer),
        Err(error) => ObserveReply::Refused {
            reason: error.to_string(),
        },
    };
    serde_json::to_writer(&mut output, &reply)?;
    output.write_all(b"\n")?;
    output.flush()
}

fn inspect(
    container: &ObservedContainer,
    request: InspectionRequest,
) -> io::Result<InspectionAnswer> {
    let work = match begin_inspection(request, container)? {
        Inspection::Answered(answer) => return Ok(answer),
        Inspection::Inside(work) => work,
    };
    enter(container.first_process())?;
    let mut answer = work.carry_out()?;
    if let InspectionAnswer::Files(view) = &mut answer {
        leave_devices_out(view);
    }
    Ok(answer)
}

/// Enters the container's mount namespace, for good. This process has one thread.
fn enter(first: i32) -> io::Result<()> {
    let mounts = fs_err::File::open(format!("/proc/{first}/ns/mnt"))?;
    setns(&mounts, CloneFlags::CLONE_NEWNS)?;
    Ok(())
}
