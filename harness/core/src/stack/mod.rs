//! What is deployed: one pod template with its secrets and config maps, the same in every environment.

pub use self::deployed::{
    ADMIN_PORT, CONTROL_HEADER, PROXY_CONFIG_FILE, PROXY_CONFIG_MAP, PROXY_PORT, Stack,
};
pub use self::tap::TAP_ID;
pub use crate::model::container::{AGENT_CONTAINER, APPLICATION_CONTAINER, PROXY_CONTAINER};

pub mod agent_pods;
mod alteration;
pub mod assemble;
pub mod certificates;
mod deployed;
pub mod file_error;
pub mod keys;
pub mod manifest;
mod manifest_fitness;
mod pod_security;
pub mod proxy_config;
pub mod proxy_fitness;
pub mod secret;
mod tap;
