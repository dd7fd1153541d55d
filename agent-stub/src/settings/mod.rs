//! What the agent is configured with: arguments and environment, read once and validated before anything opens.

mod address;
mod arguments;
mod block_answer;
mod error;
mod header_list;
mod policy;
mod span;
mod stub_arguments;
mod stub_validation;
mod validated;
mod validation;

pub use arguments::{Arguments, ReadArguments, usage, warnings};
pub use block_answer::{BlockAnswer, BlockAnswerError};
pub use error::SettingsError;
pub use header_list::{HeaderListError, HeaderSetting, parse_header_list, parse_names};
pub use policy::{Mode, Policy, RulesFileError};
pub use span::{ParseSpanError, parse_span};
pub use stub_arguments::StubArguments;
pub use validated::{
    Access, AccessLogFaults, AddressElement, Blocking, ClientAddressSource, DataLogTarget, Faults,
    ForwardedRequest, ListenAddress, MetadataQuestion, RulesDelay, Settings, SocketTarget, Switch,
    Threshold, Timings, TlsFiles,
};
