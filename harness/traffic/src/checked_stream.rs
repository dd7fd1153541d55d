//! Checks a stream of the plan before anything is sent: its address, pacing and requests.

use crate::pacing::{Rate, RateError};
use crate::plan::{ConnectionUse, Pacing, Requests, Stream};
use crate::request_bytes::{NUMBER_PLACEHOLDER, RequestBytes, RequestError, RequestTemplate};
use crate::tls::{TlsClient, TlsPlanError};
use crate::transport::{Destination, Translation};

/// The most requests of one concurrent stream that are under way, whatever its plan says.
const CONCURRENCY_LIMIT: usize = 65_536;

/// A stream of the plan, checked.
#[derive(Debug)]
pub(crate) struct CheckedStream {
    /// Names the stream in its records.
    pub(crate) name: String,
    /// Where its connections go.
    pub(crate) destination: Destination,
    /// Whether connections are persistent.
    pub(crate) connection: ConnectionUse,
    /// When requests are sent.
    pub(crate) pacing: CheckedPacing,
    requests: CheckedRequests,
}

/// When the requests of a stream are sent, with what only that pacing needs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum CheckedPacing {
    /// All at once, with at most this many under way.
    Concurrent {
        /// Requests under way at the same time.
        limit: usize,
    },
    /// Each at its due instant.
    OpenLoop {
        /// Requests per second.
        rate: Rate,
    },
    /// Each after the one before it, at this rate at most.
    Paced {
        /// Requests per second.
        rate: Rate,
    },
    /// Each after the one before it.
    Sequential,
}

#[derive(Debug)]
enum CheckedRequests {
    List(Vec<RequestTemplate>),
    Repeat {
        template: Box<RequestTemplate>,
        limit: u32,
    },
}

/// Why a stream cannot be run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StreamError {
    /// The address has no host, or no port.
    #[error("`{address}` is not `host:port`")]
    Address {
        /// What was given.
        address: String,
    },
    /// A connection can be persistent only where requests follow each other, or share it.
    #[error("a connection can be persistent only with sequential pacing, or for HTTP/2")]
    KeepWithoutSequence,
    /// No request could be under way.
    #[error("a concurrency limit of 0 sends nothing")]
    NoConcurrency,
    /// All repetitions would have the same id.
    #[error("the id `{id}` of a repeated request has no `{NUMBER_PLACEHOLDER}` in it")]
    NoPlaceholder {
        /// The id.
        id: String,
    },
    /// The rate is out of bounds.
    #[error(transparent)]
    Rate(#[from] RateError),
    /// A request cannot be sent.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// Connections cannot be secured.
    #[error("TLS cannot be used")]
    Tls(#[from] TlsPlanError),
    /// The list has more requests than can be numbered.
    #[error("the stream has {count} requests, which is too many")]
    TooManyRequests {
        /// How many.
        count: usize,
    },
}

impl CheckedStream {
    /// Checks a stream of the plan.
    pub(crate) fn new(stream: Stream) -> Result<Self, StreamError> {
        let has_port = stream
            .address
            .rsplit_once(':')
            .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
        if !has_port {
            return Err(StreamError::Address {
                address: stream.address,
            });
        }
        let requests = CheckedRequests::new(stream.requests, &stream.address)?;
        let is_sequential = matches!(stream.pacing, Pacing::Sequential | Pacing::Paced { .. });
        if stream.connection != ConnectionUse::New && !is_sequential && !requests.are_http2() {
            return Err(StreamError::KeepWithoutSequence);
        }
        let pacing = match stream.pacing {
            Pacing::Sequential => CheckedPacing::Sequential,
            Pacing::Concurrent { limit: 0 } => return Err(StreamError::NoConcurrency),
            Pacing::Concurrent { limit } => CheckedPacing::Concurrent {
                limit: usize::try_from(limit)
                    .map_or(CONCURRENCY_LIMIT, |limit| limit.min(CONCURRENCY_LIMIT)),
            },
            Pacing::Paced { per_second } => CheckedPacing::Paced {
                rate: Rate::new(per_second)?,
            },
            Pacing::Rate { per_second } => CheckedPacing::OpenLoop {
                rate: Rate::new(per_second)?,
            },
        };
        Ok(Self {
            requests,
            name: stream.name,
            destination: Destination {
                translation: Translation::ByNode,
                tls: stream.tls.as_ref().map(TlsClient::new).transpose()?,
                address: stream.address,
            },
            connection: stream.connection,
            pacing,
        })
    }

    /// Returns the ids of the stream's requests; of a repeated one, the id with its placeholder.
    pub(crate) fn ids(&self) -> Vec<String> {
        match &self.requests {
            CheckedRequests::List(templates) => templates
                .iter()
                .map(|template| template.id().to_owned())
                .collect(),
            CheckedRequests::Repeat { template, .. } => vec![template.id().to_owned()],
        }
    }

    /// Returns request `number`, or none beyond the last.
    pub(crate) fn nth(&self, number: u32) -> Option<RequestBytes> {
        self.requests.nth(number)
    }
}

impl CheckedRequests {
    fn new(requests: Requests, address: &str) -> Result<Self, StreamError> {
        match requests {
            Requests::List(list) => {
                if u32::try_from(list.len()).is_err() {
                    return Err(StreamError::TooManyRequests { count: list.len() });
                }
                let templates: Result<_, _> = list
                    .iter()
                    .map(|request| RequestTemplate::new(request, address))
                    .collect();
                Ok(Self::List(templates?))
            }
            Requests::Repeat { request, limit } => {
                if limit > 1 && !request.id.contains(NUMBER_PLACEHOLDER) {
                    return Err(StreamError::NoPlaceholder { id: request.id });
                }
                Ok(Self::Repeat {
                    template: Box::new(RequestTemplate::new(&request, address)?),
                    limit,
                })
            }
        }
    }

    fn are_http2(&self) -> bool {
        match self {
            Self::List(templates) => templates.iter().all(RequestTemplate::is_http2),
            Self::Repeat { template, .. } => template.is_http2(),
        }
    }

    fn nth(&self, number: u32) -> Option<RequestBytes> {
        match self {
            Self::List(templates) => templates
                .get(usize::try_from(number).ok()?)
                .map(RequestTemplate::once),
            Self::Repeat { template, limit } => {
                (number < *limit).then(|| template.numbered(number))
            }
        }
    }
}
