//! Where a container can write, by the kernel's list of its mounts.

use std::collections::BTreeSet;

/// Where a container can write.
#[derive(Debug)]
pub(crate) struct MountAccess {
    /// Whether the kernel has the root mounted read-only.
    pub root_is_read_only: bool,
    /// Every mount point that can be written to.
    pub writable: BTreeSet<String>,
}

impl MountAccess {
    /// Reads the kernel's list of mounts, `/proc/<process>/mountinfo`. What the kernel and the runtime provide is left out.
    pub(crate) fn of(list: &str) -> Self {
        let mut access = Self {
            root_is_read_only: true,
            writable: BTreeSet::new(),
        };
        for mount in list.lines().filter_map(parse_mount) {
            let is_device = mount.point.starts_with("/dev/") && mount.file_system != "tmpfs";
            if mount.file_system == "proc" || mount.point.starts_with("/proc/") || is_device {
                continue;
            }
            if mount.point == "/" {
                access.root_is_read_only = !mount.writable;
            }
            if mount.writable {
                access.writable.insert(mount.point);
            } else {
                // A later line covers an earlier one at the same place.
                access.writable.remove(&mount.point);
            }
        }
        access
    }
}

/// One line of the kernel's list of mounts.
#[derive(Debug, Eq, PartialEq)]
struct Mount {
    point: String,
    file_system: String,
    writable: bool,
}

fn parse_mount(line: &str) -> Option<Mount> {
    let (mount, file_system) = line.split_once(" - ")?;
    let mut fields = mount.split(' ').skip(4);
    let (point, options) = (fields.next()?, fields.next()?);
    let mut fields = file_system.split(' ');
    let (kind, super_options) = (fields.next()?, fields.nth(1)?);
    let writable = |options: &str| options.split(',').any(|option| option == "rw");
    Some(Mount {
        point: unescape(point),
        file_system: kind.to_owned(),
        writable: writable(options) && writable(super_options),
    })
}

/// Undoes the kernel's `\040`.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let digits = tail
            .get(..3)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        let code = digits.and_then(|digits| u8::from_str_radix(digits, 8).ok());
        if let (b'\\', Some(code)) = (first, code) {
            bytes.push(code);
            rest = &tail[3..];
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_line_has_point_type_and_access() {
        let line = r"36 35 98:0 /a /mnt\040two rw,noatime master:1 - tmpfs none rw,size=64k";
        assert_eq!(
            parse_mount(line),
            Some(Mount {
                point: "/mnt two".into(),
                file_system: "tmpfs".into(),
                writable: true,
            })
        );
    }

    #[test]
    fn a_mount_of_a_read_only_file_system_is_not_writable() {
        let line = "36 35 98:0 / /mnt rw - ext4 /dev/vda ro";
        assert!(!parse_mount(line).expect("a mount").writable);
    }
}
