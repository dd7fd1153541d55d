//! The pod's volumes: one bounded tmpfs each, made once and mounted into containers.

use std::io;
use std::os::unix::fs::PermissionsExt as _;

use camino::{Utf8Path, Utf8PathBuf};
use nix::mount::{MsFlags, mount};

use crate::local::plan::{VolumeContent, VolumePlan};

/// What a config map's or secret's volume can hold beyond the files that it starts with.
const FILES_LIMIT_BYTES: u64 = 4 * 1024 * 1024;

/// Makes the volumes below `folder` and returns where they are.
pub(super) fn make(folder: &Utf8Path, volumes: &[VolumePlan]) -> io::Result<Vec<Utf8PathBuf>> {
    // Not with what is above it: a harness that ends removes the pod's folder, and it must not come back.
    fs_err::create_dir(folder)?;
    volumes
        .iter()
        .map(|volume| {
            let place = folder.join(&volume.name);
            make_one(&place, volume)?;
            Ok(place)
        })
        .collect()
}

fn make_one(place: &Utf8Path, volume: &VolumePlan) -> io::Result<()> {
    fs_err::create_dir(place)?;
    let options = match &volume.content {
        VolumeContent::Empty { limit_bytes } => format!("mode=0777,size={limit_bytes}"),
        VolumeContent::Files(_) => format!("mode=0755,size={FILES_LIMIT_BYTES}"),
    };
    mount(
        Some("tmpfs"),
        place.as_std_path(),
        Some("tmpfs"),
        MsFlags::MS_NOSUID | MsFlags::MS_NODEV,
        Some(options.as_str()),
    )?;
    match &volume.content {
        VolumeContent::Empty { .. } => Ok(()),
        VolumeContent::Files(files) => files.iter().try_for_each(|file| {
            let path = place.join(&file.path);
            if let Some(parent) = path.parent() {
                fs_err::create_dir_all(parent)?;
            }
            fs_err::write(&path, &file.content)?;
            fs_err::set_permissions(&path, std::fs::Permissions::from_mode(file.mode))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pods_folder_that_is_gone_is_not_made_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let pod = Utf8PathBuf::try_from(folder.path().join("pod")).expect("UTF-8");
        let error = make(&pod.join("volumes"), &[]).expect_err("it is gone");
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(!pod.exists());
    }
}
