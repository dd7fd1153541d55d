//! An HTTP answer whose body is read as it grows.

use http::{Request, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::task::JoinSet;

use crate::PortStream;
use harness_core::model::causes::chain;

/// An answer that goes on until the one who asked drops it, or the one who answers ends it.
#[derive(Debug)]
pub struct GrowingAnswer {
    /// The answer's status.
    pub status: u16,
    body: Incoming,
    /// Who asked hangs up without it, though the answer goes on.
    _sender: SendRequest<Full<Bytes>>,
    /// Carries question and answer; it ends with this.
    _connection: JoinSet<()>,
}

impl GrowingAnswer {
    /// Asks with a POST.
    ///
    /// # Errors
    ///
    /// What was seen instead of the head of an answer.
    pub async fn post(stream: PortStream, path: &str, body: String) -> Result<Self, String> {
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| rendered(&error))?;
        let mut carrying = JoinSet::new();
        carrying.spawn(async move {
            // What goes wrong here shows in the answer.
            let _ = connection.await;
        });
        let question = Request::post(path)
            .header(header::HOST, "127.0.0.1")
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| rendered(&error))?;
        let response = sender
            .send_request(question)
            .await
            .map_err(|error| rendered(&error))?;
        Ok(Self {
            status: response.status().as_u16(),
            body: response.into_body(),
            _sender: sender,
            _connection: carrying,
        })
    }

    /// Waits for what the body grows by; none at its end. Cancel safe.
    ///
    /// # Errors
    ///
    /// How the answer was cut off.
    pub async fn next(&mut self) -> Result<Option<Bytes>, String> {
        while let Some(frame) = self.body.frame().await {
            let frame = frame.map_err(|error| rendered(&error))?;
            if let Ok(piece) = frame.into_data() {
                return Ok(Some(piece));
            }
        }
        Ok(None)
    }
}

fn rendered(error: &dyn std::error::Error) -> String {
    chain(error).join(": ")
}
