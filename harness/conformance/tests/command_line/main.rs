//! The command as its users meet it: exit codes, errors with their places, reports, and what a run leaves behind.

mod answering_api;
mod bad_contracts;
mod bad_input;
mod bad_rollouts;
mod bad_seeds;
mod bad_settings_of_pods;
mod bench;
mod canaries;
mod causes;
mod clusters;
mod doctor;
mod ending;
mod files;
mod findings;
mod hostile;
mod images;
mod one_executable;
mod options;
mod own_configuration;
mod pipelines;
mod runs;
mod shells;
mod support;
