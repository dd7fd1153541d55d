//! Writes the body of an HTTP/2 request: after `100 Continue` or in pieces where the plan says so,
//! within the flow control of the other side.

use std::future::poll_fn;
use std::time::Duration;

use bytes::Bytes;
use h2::{RecvStream, SendStream};
use tokio::sync::Notify;
use tokio::time::sleep;

use crate::http2_head::Http2Head;
use crate::plan::BodyStart;
use crate::record::UpgradeOutcome;
use crate::request_bytes::RequestBytes;
use crate::websocket::{EchoWatch, text_frame};

/// How far the sending of a request has come.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum SendProgress {
    /// The body waits for `100 Continue`.
    HeldBack,
    /// Everything has been given to the connection.
    Over,
    /// Something is still to be sent.
    #[default]
    UnderWay,
}

/// Whether something follows on a stream.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Follows {
    Nothing,
    Something,
}

/// Sends the body and the trailer fields of a request.
pub(crate) async fn send_body(
    mut stream: SendStream<Bytes>,
    mut body: Bytes,
    request: &RequestBytes,
    head: &Http2Head,
    continued: &Notify,
    sending: &mut SendProgress,
) -> Result<(), h2::Error> {
    match request.manner.body_start {
        BodyStart::AtOnce => {}
        BodyStart::AfterContinue => {
            *sending = SendProgress::HeldBack;
            continued.notified().await;
            *sending = SendProgress::UnderWay;
        }
    }
    let (piece_length, interval) = match request.manner.pacing {
        Some(pacing) => (
            usize::try_from(pacing.piece).unwrap_or(usize::MAX),
            Duration::from_millis(pacing.interval_milliseconds.into()),
        ),
        None => (body.len(), Duration::ZERO),
    };
    while !body.is_empty() {
        let piece = body.split_to(piece_length.min(body.len()));
        let follows = if body.is_empty() && head.trailers.is_empty() {
            Follows::Nothing
        } else {
            Follows::Something
        };
        send_piece(&mut stream, piece, follows).await?;
        if !body.is_empty() {
            sleep(interval).await;
        }
    }
    if !head.trailers.is_empty() {
        stream.send_trailers(head.trailers.clone())?;
    }
    *sending = SendProgress::Over;
    Ok(())
}

/// Sends bytes as the other side's windows allow.
async fn send_piece(
    stream: &mut SendStream<Bytes>,
    mut piece: Bytes,
    follows: Follows,
) -> Result<(), h2::Error> {
    while !piece.is_empty() {
        stream.reserve_capacity(piece.len());
        let capacity = poll_fn(|context| stream.poll_capacity(context)).await;
        let Some(capacity) = capacity.transpose()? else {
            // The stream is over; whoever reads the answer learns why.
            return Ok(());
        };
        let part = piece.split_to(capacity.min(piece.len()));
        let is_last = piece.is_empty() && follows == Follows::Nothing;
        stream.send_data(part, is_last)?;
    }
    Ok(())
}

/// Sends a message on an upgraded stream and waits for its echo. The caller bounds the time.
pub(crate) async fn converse(
    stream: &mut SendStream<Bytes>,
    answer: &mut RecvStream,
    message: &[u8],
) -> UpgradeOutcome {
    let frame = Bytes::from(text_frame(message));
    if send_piece(stream, frame, Follows::Something).await.is_err() {
        return UpgradeOutcome::Closed;
    }
    let mut watch = EchoWatch::new(message);
    while let Some(Ok(data)) = answer.data().await {
        if answer.flow_control().release_capacity(data.len()).is_err() {
            return UpgradeOutcome::Closed;
        }
        if let Some(outcome) = watch.read(&data) {
            return outcome;
        }
    }
    UpgradeOutcome::Closed
}
