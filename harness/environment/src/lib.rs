//! Where a stack runs. Procedures speak to the traits of this module and know no environment by name.

pub use self::authority::authority;
pub use self::environment::Environment;
pub use self::fault::EnvironmentFault;
pub use self::fleet::{Eviction, Fleet, FleetMember, TemplateChange};
pub use self::pod::{
    Addresses, ByteStream, ContainerFault, DriverProcess, FileChange, Pod, PodHttpRequest,
    PodHttpResponse, PortStream, ServiceTranslation,
};
pub use self::run_folder::RunFolder;
pub use harness_core::model::file_system_view::{FileEntry, FileSystemView};

mod authority;
mod environment;
mod fault;
mod fleet;
pub mod growing_answer;
mod inspection;
pub mod kube;
pub mod local;
pub mod observe;
mod pod;
mod pod_timeline;
pub mod polling;
mod process_privileges;
mod run_folder;
mod run_folder_survey;
pub mod service_answers;
