//! A layer that resets a call's stream where the service asks for it.
//!
//! A gRPC service can only answer or fail with a status, and both are answers. Below it, HTTP/2 resets the stream of a call
//! whose service fails otherwise.

use std::pin::Pin;
use std::task::{Context, Poll};

use tonic::codegen::http;
use tower::{Layer, Service};

/// The mark of an answer in whose place the stream is reset.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ResetStream;

/// Wraps a service.
#[derive(Clone, Copy, Debug)]
pub struct StreamResetLayer;

/// A service whose marked answers reset their stream.
#[derive(Clone, Debug)]
pub struct StreamResetService<Inner>(Inner);

/// A stream was reset because the service asked for it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the stream was reset on demand")]
pub struct ResetOnDemand;

impl<Inner> Layer<Inner> for StreamResetLayer {
    type Service = StreamResetService<Inner>;

    fn layer(&self, inner: Inner) -> Self::Service {
        StreamResetService(inner)
    }
}

impl<Inner, RequestBody, ResponseBody> Service<http::Request<RequestBody>>
    for StreamResetService<Inner>
where
    Inner: Service<http::Request<RequestBody>, Response = http::Response<ResponseBody>>,
    Inner::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    Inner::Future: Send + 'static,
{
    type Response = Inner::Response;
    type Error = Box<dyn std::error::Error + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: http::Request<RequestBody>) -> Self::Future {
        let answer = self.0.call(request);
        Box::pin(async move {
            let response = answer.await.map_err(Into::into)?;
            if response.extensions().get::<ResetStream>().is_some() {
                return Err(ResetOnDemand.into());
            }
            Ok(response)
        })
    }
}
