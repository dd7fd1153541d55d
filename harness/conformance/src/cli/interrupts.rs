//! Hears when the user wants a command to end.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::report::terminal::remark;
use crate::run::Going;
use crate::run::exit_code::EndingSignal;

/// First interrupt: end the run in an orderly way. Second: end at once; the pods die with this process.
pub(super) async fn listen_for_interrupts(interrupt: watch::Sender<Going>) {
    let (Ok(mut interrupted), Ok(mut terminated), Ok(mut hung_up)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
        signal(SignalKind::hangup()),
    ) else {
        return;
    };
    let mut first = true;
    loop {
        let signal = tokio::select! {
            _ = interrupted.recv() => EndingSignal::Interrupt,
            _ = terminated.recv() => EndingSignal::Terminate,
            _ = hung_up.recv() => EndingSignal::HangUp,
        };
        if !first {
            #[expect(
                clippy::exit,
                reason = "the user asked twice; every pod dies with this process"
            )]
            std::process::exit(i32::from(signal.exit_code()));
        }
        first = false;
        remark("interrupted: removing the pods (once more to end at once)");
        let _ = interrupt.send(Going::Interrupted(signal));
    }
}
