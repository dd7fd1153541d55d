//! The record of who owns a cluster: a file that later runs read to find what is left of a run whose process is gone.

use std::io::{self, Write as _};

use camino::{Utf8Path, Utf8PathBuf};

use crate::kube::api::labels::PREFIX;
use crate::kube::api::ownership::Owner;
use crate::kube::cluster::tool::ClusterTool;

/// Writes down whose a cluster is that is about to be made; returns the record. A sweep sees all of it or none: half a record would name no
/// owner, and its cluster would be left for ever.
pub(super) fn write_record(
    records: &Utf8Path,
    tool: ClusterTool,
    cluster: &str,
    owner: &Owner,
) -> io::Result<Utf8PathBuf> {
    fs_err::create_dir_all(records)?;
    let mut file = tempfile::NamedTempFile::new_in(records)?;
    file.write_all(owner.to_string().as_bytes())?;
    file.as_file().sync_all()?;
    let record = records.join(format!("{cluster}.{}", tool.name()));
    file.persist(&record).map_err(|error| error.error)?;
    Ok(record)
}

/// Reads a record's name: `<cluster>.<tool>`.
pub(super) fn made_by(file_name: &str) -> Option<(&str, ClusterTool)> {
    let (name, tool) = file_name.rsplit_once('.')?;
    let tool = ClusterTool::ALL
        .into_iter()
        .find(|known| known.name() == tool)?;
    name.starts_with(PREFIX).then_some((name, tool))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_record_of_a_run_names_a_cluster() {
        assert_eq!(
            made_by("conformance-abc.kind"),
            Some(("conformance-abc", ClusterTool::Kind))
        );
        assert_eq!(made_by("production.kind"), None);
        assert_eq!(made_by("conformance-abc.minikube"), None);
    }

    #[test]
    fn a_record_is_written_whole_and_nothing_else_is_left_beside_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let records = Utf8Path::from_path(folder.path()).expect("UTF-8");
        let owner = Owner::this_process();
        let record =
            write_record(records, ClusterTool::Kind, "conformance-abc", &owner).expect("written");
        let names: Vec<String> = records
            .read_dir_utf8()
            .expect("a folder")
            .map(|entry| entry.expect("an entry").file_name().to_owned())
            .collect();
        assert_eq!(names, ["conformance-abc.kind"]);
        let text = fs_err::read_to_string(&record).expect("read");
        assert_eq!(Owner::parse(&text), Some(owner));
    }
}
