//! A container's root: a fresh tmpfs with the host's programs read-only in it.
//!
//! The layout is worked out before the clone; the clone only carries it out. What the layout puts
//! there is known by path, so that an inspection can find what the container has added.

use std::collections::BTreeSet;
use std::fs::Permissions;
use std::io;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use camino::{Utf8Path, Utf8PathBuf};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd::{chdir, pivot_root};

use super::system::{self, MountScope, Restriction};
use crate::local::plan::{ContainerPlan, PodPlan, RootAccess};

/// What a container can add to its root.
const ROOT_LIMIT: &str = "mode=0755,size=128m";

const HOST_FOLDERS: [&str; 6] = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64"];

/// What programs need from `/etc` to find their libraries and certificates. The rest of the host's
/// `/etc` stays outside: a pod template may well mount something at `/etc/envoy`.
const HOST_SETTINGS: [&str; 7] = [
    "/etc/alternatives",
    "/etc/ca-certificates",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/pki",
    "/etc/ssl",
];

const DEVICES: [&str; 5] = ["full", "null", "random", "urandom", "zero"];

/// Parts of `/proc` through which root could change the host's kernel.
const PROC_READ_ONLY: [&str; 5] = ["bus", "fs", "irq", "sys", "sysrq-trigger"];

/// Parts of `/proc` that describe the host.
const PROC_MASKED: [&str; 3] = ["kcore", "keys", "timer_list"];

/// Everything that is put into a container's root, in order.
#[derive(Debug)]
pub(super) struct Layout {
    items: Vec<Item>,
    access: RootAccess,
}

#[derive(Debug)]
enum Item {
    Device(&'static str),
    File {
        path: Utf8PathBuf,
        content: String,
    },
    Folder {
        path: Utf8PathBuf,
        mode: u32,
    },
    HostFile {
        source: Utf8PathBuf,
        path: Utf8PathBuf,
    },
    HostTree {
        source: Utf8PathBuf,
        path: Utf8PathBuf,
    },
    Link {
        path: Utf8PathBuf,
        target: Utf8PathBuf,
    },
    Processes,
    Volume {
        place: Utf8PathBuf,
        path: Utf8PathBuf,
        access: RootAccess,
    },
}

/// A step that failed.
#[derive(Debug, thiserror::Error)]
#[error("{step}")]
pub(super) struct RootFault {
    /// What was attempted, as "cannot …".
    pub step: String,
    /// The system's answer.
    #[source]
    pub source: io::Error,
}

impl Layout {
    /// Works out the root of one container.
    pub(super) fn new(pod: &PodPlan, container: &ContainerPlan, volumes: &[Utf8PathBuf]) -> Self {
        let mut items = vec![
            folder("/app", 0o755),
            folder("/dev", 0o755),
            folder("/etc", 0o755),
            folder("/proc", 0o555),
            folder("/root", 0o700),
            folder("/run", 0o755),
            folder("/tmp", 0o1777),
            folder("/var", 0o755),
        ];
        items.extend(HOST_FOLDERS.iter().filter_map(|path| host_folder(path)));
        items.extend(HOST_SETTINGS.iter().filter_map(|path| host_setting(path)));
        items.extend(own_settings(pod));
        items.extend(DEVICES.map(Item::Device));
        items.extend(
            [
                ("/dev/fd", "/proc/self/fd"),
                ("/dev/stdin", "/proc/self/fd/0"),
                ("/dev/stdout", "/proc/self/fd/1"),
                ("/dev/stderr", "/proc/self/fd/2"),
            ]
            .map(|(path, target)| Item::Link {
                path: path.into(),
                target: target.into(),
            }),
        );
        items.push(Item::Processes);
        items.push(Item::HostFile {
            source: container.executable.clone(),
            path: application_path(&container.executable),
        });
        // A folder that is mounted comes before what is mounted below it.
        let mut mounts: Vec<_> = container.mounts.iter().collect();
        mounts.sort_by(|left, right| left.path.cmp(&right.path));
        items.extend(mounts.into_iter().map(|mount| Item::Volume {
            place: volumes[mount.volume].clone(),
            path: mount.path.clone().into(),
            access: mount.access,
        }));
        items.push(folder(&container.working_folder, 0o755));
        Self {
            items,
            access: container.root,
        }
    }

    /// Returns every path that the layout makes, with the folders above it.
    pub(super) fn paths(&self) -> BTreeSet<String> {
        self.items
            .iter()
            .flat_map(|item| {
                item.path()
                    .ancestors()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
            })
            .collect()
    }

    /// Builds the root at `place` and makes it this process' root. The process must be alone in
    /// its mount namespace.
    pub(super) fn enter(&self, place: &Utf8Path) -> Result<(), RootFault> {
        let inert = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
        mount(
            Some("tmpfs"),
            place.as_std_path(),
            Some("tmpfs"),
            inert,
            Some(ROOT_LIMIT),
        )
        .map_err(|errno| fault("mount the root", errno.into()))?;
        for item in &self.items {
            item.make(place)
                .map_err(|source| fault(&item.describe(), source))?;
        }
        become_root(place).map_err(|source| fault("change to the root", source))?;
        match self.access {
            RootAccess::Writable => Ok(()),
            RootAccess::ReadOnly => {
                system::restrict_mount(Path::new("/"), MountScope::One, Restriction::ReadOnly)
                    .map_err(|source| fault("make the root read-only", source))
            }
        }
    }
}

/// Returns where a container finds its image's executable.
pub(super) fn application_path(executable: &Utf8Path) -> Utf8PathBuf {
    Utf8Path::new("/app").join(executable.file_name().unwrap_or("program"))
}

impl Item {
    fn path(&self) -> Utf8PathBuf {
        match self {
            Self::Device(name) => Utf8Path::new("/dev").join(name),
            Self::File { path, .. }
            | Self::Folder { path, .. }
            | Self::HostFile { path, .. }
            | Self::HostTree { path, .. }
            | Self::Link { path, .. }
            | Self::Volume { path, .. } => path.clone(),
            Self::Processes => "/proc".into(),
        }
    }

    fn describe(&self) -> String {
        match self {
            Self::Device(name) => format!("provide /dev/{name}"),
            Self::File { path, .. } => format!("write {path}"),
            Self::Folder { path, .. } => format!("make the folder {path}"),
            Self::HostFile { source, path } | Self::HostTree { source, path } => {
                format!("mount {source} at {path}")
            }
            Self::Link { path, .. } => format!("make the link {path}"),
            Self::Processes => "mount /proc".into(),
            Self::Volume { path, .. } => format!("mount the volume at {path}"),
        }
    }

    fn make(&self, root: &Utf8Path) -> io::Result<()> {
        let place = inside(root, &self.path());
        match self {
            Self::Device(name) => {
                fs_err::write(&place, "")?;
                bind(&Utf8Path::new("/dev").join(name), &place, MsFlags::empty())
            }
            Self::File { content, .. } => fs_err::write(&place, content),
            Self::Folder { mode, .. } => {
                if place.is_dir() {
                    return Ok(());
                }
                fs_err::create_dir_all(&place)?;
                fs_err::set_permissions(&place, Permissions::from_mode(*mode))
            }
            Self::HostFile { source, .. } => {
                fs_err::write(&place, "")?;
                bind(source, &place, MsFlags::empty())?;
                restrict(&place, MountScope::One, RootAccess::ReadOnly)
            }
            Self::HostTree { source, .. } => {
                fs_err::create_dir_all(&place)?;
                bind(source, &place, MsFlags::MS_REC)?;
                restrict(&place, MountScope::Tree, RootAccess::ReadOnly)
            }
            Self::Link { target, .. } => symlink(target, &place),
            Self::Processes => mount_processes(&place),
            Self::Volume {
                place: source,
                access,
                ..
            } => {
                fs_err::create_dir_all(&place)?;
                bind(source, &place, MsFlags::empty())?;
                restrict(&place, MountScope::One, *access)
            }
        }
    }
}

fn folder(path: &str, mode: u32) -> Item {
    Item::Folder {
        path: path.into(),
        mode,
    }
}

/// Takes a folder of the host over; where the host has a link, the container has the same link.
fn host_folder(path: &str) -> Option<Item> {
    let path = Utf8PathBuf::from(path);
    let kind = path.symlink_metadata().ok()?.file_type();
    if kind.is_symlink() {
        let target = path.read_link_utf8().ok()?;
        Some(Item::Link { path, target })
    } else if kind.is_dir() {
        Some(Item::HostTree {
            source: path.clone(),
            path,
        })
    } else {
        None
    }
}

fn host_setting(path: &str) -> Option<Item> {
    let path = Utf8PathBuf::from(path);
    let kind = path.metadata().ok()?.file_type();
    let source = path.clone();
    if kind.is_dir() {
        Some(Item::HostTree { source, path })
    } else if kind.is_file() {
        Some(Item::HostFile { source, path })
    } else {
        None
    }
}

/// The settings that Kubernetes and every image bring along.
fn own_settings(pod: &PodPlan) -> Vec<Item> {
    let hosts = format!(
        "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost \
         ip6-loopback\nfe00::0\tip6-localnet\nfe00::0\tip6-mcastprefix\nfe00::1\tip6-allnodes\n\
         fe00::2\tip6-allrouters\n{}\t{}\n",
        pod.pod_ip, pod.host_name
    );
    [
        ("/etc/group", "root:x:0:\nnogroup:x:65534:\n".to_owned()),
        ("/etc/hostname", format!("{}\n", pod.host_name)),
        ("/etc/hosts", hosts),
        ("/etc/nsswitch.conf", "hosts: files dns\n".to_owned()),
        (
            "/etc/passwd",
            "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n".to_owned(),
        ),
        ("/etc/resolv.conf", String::new()),
    ]
    .into_iter()
    .map(|(path, content)| Item::File {
        path: path.into(),
        content,
    })
    .collect()
}

fn mount_processes(place: &Utf8Path) -> io::Result<()> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(
        Some("proc"),
        place.as_std_path(),
        Some("proc"),
        flags,
        None::<&str>,
    )?;
    for name in PROC_READ_ONLY {
        let part = place.join(name);
        if part.exists() {
            bind(&part, &part, MsFlags::MS_REC)?;
            restrict(&part, MountScope::Tree, RootAccess::ReadOnly)?;
        }
    }
    for name in PROC_MASKED {
        let part = place.join(name);
        if part.exists() {
            bind(Utf8Path::new("/dev/null"), &part, MsFlags::empty())?;
        }
    }
    Ok(())
}

fn bind(source: &Utf8Path, place: &Utf8Path, further: MsFlags) -> io::Result<()> {
    mount(
        Some(source.as_std_path()),
        place.as_std_path(),
        None::<&str>,
        MsFlags::MS_BIND | further,
        None::<&str>,
    )
    .map_err(io::Error::from)
}

fn restrict(place: &Utf8Path, scope: MountScope, access: RootAccess) -> io::Result<()> {
    let restriction = match access {
        RootAccess::ReadOnly => Restriction::ReadOnly,
        RootAccess::Writable => Restriction::Inert,
    };
    system::restrict_mount(place.as_std_path(), scope, restriction)
}

fn become_root(place: &Utf8Path) -> io::Result<()> {
    chdir(place.as_std_path())?;
    // The old root ends up on top of the new one and is taken off; no path leads back to it.
    pivot_root(".", ".")?;
    umount2(".", MntFlags::MNT_DETACH)?;
    chdir("/")?;
    Ok(())
}

fn inside(root: &Utf8Path, path: &Utf8Path) -> Utf8PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

fn fault(step: &str, source: io::Error) -> RootFault {
    RootFault {
        step: format!("cannot {step}"),
        source,
    }
}
