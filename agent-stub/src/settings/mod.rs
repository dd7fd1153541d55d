//! What the agent is told: arguments and environment, read once and validated before anything opens.

mod arguments;
mod block_answer;
mod error;
mod header_list;
mod span;
mod validated;
mod validation;

pub use arguments::{Arguments, ReadArguments, usage, warnings};
pub use block_answer::{BlockAnswer, BlockAnswerError};
pub use error::SettingsError;
pub use header_list::{HeaderListError, HeaderSetting, parse_header_list, parse_names};
pub use span::{ParseSpanError, parse_span};
pub use validated::{
    DataLogTarget, ForwardedRequest, ListenAddress, Mode, RpcAddress, RulesDelay, Settings,
    Timings, TlsFiles,
};
